"""The Redis store on a real server that stalls, dies and comes back, and on settings gone wrong."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import time
from typing import Any

import pytest

from orq_core import ConfigurationError
from orq_core._runtime import Asyncio, Blocking, Runtime, drive
from orq_core.testing import Mode
from orq_plugins.caching import RedisStore

REFUSED = "redis://127.0.0.1:1/0"


def runtime_of(mode: Mode) -> Runtime:
    return Asyncio() if mode.is_async else Blocking()


@pytest.mark.real
@pytest.mark.parametrize("connected", [True, False])
def test_a_server_that_stalls_is_not_waited_for(mode: Mode, valkey: Any, connected: bool):
    runtime, store = runtime_of(mode), RedisStore(valkey.url, timeout=0.2)

    async def body() -> float:
        if connected:
            await store.set(runtime, "a", b"value", None)
        valkey.stall()
        began = time.monotonic()
        try:
            with pytest.raises(Exception, match=r"(?i)time"):
                await store.get(runtime, "a")
            return time.monotonic() - began
        finally:
            valkey.go_on()
            await store.close(runtime)

    assert mode.run(body) < 2


@pytest.mark.real
def test_a_server_that_died_is_noticed_at_once(mode: Mode, valkey: Any):
    runtime, store = runtime_of(mode), RedisStore(valkey.url, timeout=20)

    async def body() -> float:
        await store.set(runtime, "a", b"value", None)
        valkey.kill()
        began = time.monotonic()
        for _ in range(3):
            with pytest.raises(Exception, match=r"(?i)connect|closed"):
                await store.get(runtime, "a")
        ended = time.monotonic()
        await store.close(runtime)
        return ended - began

    assert mode.run(body) < 5


@pytest.mark.real
def test_a_server_that_came_back_is_used_again(mode: Mode, valkey: Any):
    import redis

    runtime, store = runtime_of(mode), RedisStore(valkey.url, timeout=5)

    async def body() -> None:
        await store.set(runtime, "a", b"value", None)
        valkey.restart()
        # redis-py's asyncio connections notice what happened while they were idle by failing.
        with contextlib.suppress(ConnectionError, redis.ConnectionError):
            await store.get(runtime, "a")
        assert await store.get(runtime, "a") is None
        await store.set(runtime, "a", b"value again", None)
        assert await store.get(runtime, "a") == b"value again"
        await store.close(runtime)

    mode.run(body)


@pytest.mark.real
def test_an_answer_nobody_waits_for_is_given_to_nobody(valkey: Any):
    """A connection given up between question and answer must not serve the next question."""
    runtime, store = Asyncio(), RedisStore(valkey.url, timeout=20)

    async def body() -> None:
        for name in "abcdefgh":
            await store.set(runtime, name, name.encode() * 1000, None)
        for _ in range(5):
            valkey.stall()
            asked = [asyncio.create_task(store.get(runtime, name)) for name in "abcd"]
            await asyncio.sleep(0.02)
            for task in asked:
                task.cancel()
            await asyncio.wait(asked)
            assert all(task.cancelled() for task in asked)
            valkey.go_on()
            found = await asyncio.gather(*[store.get(runtime, name) for name in "efgh"])
            assert found == [name.encode() * 1000 for name in "efgh"]
        await store.close(runtime)

    asyncio.run(body())


@pytest.mark.real
def test_loops_take_their_connections_along(valkey: Any):
    """Nobody closes the store; warnings of what was left open would fail the test."""
    runtime, stores = Asyncio(), [RedisStore(valkey.url, timeout=5)]
    for _ in range(5):
        assert asyncio.run(stores[0].get(runtime, "a")) is None
        gc.collect()
        assert len(stores[0]._connections._clients._open) == 1
    stores.clear()
    gc.collect()


@pytest.mark.real
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_parent_and_child_have_connections_of_their_own(mode: Mode, valkey: Any):
    runtime, store = runtime_of(mode), RedisStore(valkey.url, timeout=5)

    async def many(name: str) -> None:
        for number in range(100):
            await store.set(runtime, name, b"%s %d" % (name.encode(), number), None)
            assert await store.get(runtime, name) == b"%s %d" % (name.encode(), number)

    async def parent() -> int:
        await store.get(runtime, "a")
        child = os.fork()
        if child == 0:
            status = 1
            try:
                await many("child")
                status = 0
            finally:
                os._exit(status)
        await many("parent")
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])  # noqa: ASYNC222 - no loop
        await store.close(runtime)
        return status

    def child_with_a_loop() -> int:
        """Fork between two loops: one that is running can't be used in a child."""
        mode.run(lambda: many("before"))
        child = os.fork()
        if child == 0:
            status = 1
            try:
                mode.run(lambda: many("child"))
                status = 0
            finally:
                os._exit(status)
        mode.run(lambda: many("parent"))
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

    assert (child_with_a_loop() if mode.is_async else mode.run(parent)) == 0


@pytest.mark.real
def test_a_password_is_not_told(mode: Mode, valkey: Any):
    import redis

    with redis.Redis.from_url(valkey.url) as admin:
        admin.config_set("requirepass", "fake-right")
    runtime = runtime_of(mode)
    place = valkey.url.partition("://")[2]

    async def body() -> None:
        right = RedisStore(f"redis://:fake-right@{place}", timeout=5)
        await right.set(runtime, "a", b"value", None)
        assert await right.get(runtime, "a") == b"value"
        await right.close(runtime)
        wrong = RedisStore(f"redis://:fake-wrong@{place}", timeout=5)
        with pytest.raises(Exception, match=r"(?i)password|auth") as refused:
            await wrong.get(runtime, "a")
        assert "fake" not in f"{refused.value!r} {wrong!r}"
        await wrong.close(runtime)

    mode.run(body)


@pytest.mark.real
def test_clients_of_yours_stay_open(mode: Mode, valkey: Any):
    import redis
    import redis.asyncio

    runtime = runtime_of(mode)

    async def body() -> None:
        kind: Any = redis.asyncio.Redis if mode.is_async else redis.Redis
        yours = kind.from_url(valkey.url)
        store = RedisStore(REFUSED, **{"async_client" if mode.is_async else "client": yours})
        await store.set(runtime, "a", b"value", None)
        await store.close(runtime)
        found = yours.get("orq:a")
        assert (await found if mode.is_async else found) == b"value"
        pool = yours.connection_pool
        assert len(pool._available_connections) == 1
        if mode.is_async:
            await yours.aclose()
        else:
            yours.close()

    mode.run(body)


@pytest.mark.parametrize(
    "url",
    [
        "redis://:fake/word@127.0.0.1:6379/0",
        "redis://fake#word@127.0.0.1:6379/0",
        "redis://:fake?word@127.0.0.1:6379/0",
        "redis://user:fake@[::1/0",
        "redis://:fake@127.0.0.1:99999/0",
        "redis://:fake@127.0.0.1:6379/0?socket_timeout=fake",
        "http://:fake@127.0.0.1",
        "fake",
        "",
    ],
)
def test_a_url_that_is_none_is_not_told(url: str):
    pytest.importorskip("redis")
    with pytest.raises(ConfigurationError, match="url") as refused:
        RedisStore(url)
    assert "fake" not in str(refused.value)


def test_names_of_stores_tell_the_host_alone():
    pytest.importorskip("redis")
    assert repr(RedisStore("rediss://user:fake%2Fword@cache.test:1/0")) == "<RedisStore cache.test>"
    assert repr(RedisStore("unix:///run/fake.sock?db=1")) == "<RedisStore socket>"


def test_clients_that_decode_are_refused():
    redis = pytest.importorskip("redis")
    decoding = redis.Redis(decode_responses=True)
    for settings in ({"client": decoding}, {"async_client": decoding}):
        with pytest.raises(ConfigurationError, match="decode_responses"):
            RedisStore(**settings)
    with pytest.raises(ConfigurationError, match="decode_responses"):
        RedisStore("redis://127.0.0.1:1/0?decode_responses=True")


@pytest.mark.parametrize("timeout", [0, -1, True, "1", None])
def test_a_timeout_is_checked(timeout: Any):
    pytest.importorskip("redis")
    with pytest.raises(ConfigurationError, match="timeout"):
        RedisStore(timeout=timeout)


def test_nobody_there(mode: Mode):
    pytest.importorskip("redis")
    runtime, store = runtime_of(mode), RedisStore(REFUSED)

    async def body() -> None:
        with pytest.raises(Exception, match=r"(?i)connect"):
            await store.get(runtime, "a")
        await store.close(runtime)

    mode.run(body)


def test_nothing_to_close(mode: Mode):
    pytest.importorskip("redis")
    store = RedisStore(REFUSED)
    if mode.is_async:
        asyncio.run(store.close(Asyncio()))
    else:
        drive(store.close(Blocking()))
