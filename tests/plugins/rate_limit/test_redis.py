"""Limits on a real server: the same as in memory, shared by processes, and when it fails."""

from __future__ import annotations

import asyncio
import logging
import random
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from orq_core import ConfigurationError, PluginError
from orq_core._runtime import Asyncio, Blocking, Runtime, drive
from orq_core.testing import (
    DONE,
    LocalRouter,
    Mode,
    ScriptedTransport,
    chunk,
    completion,
    reply,
    stream,
)
from orq_plugins import RateLimit, RedisLimits
from orq_plugins.rate_limit.stores import Rates, Verdict, Want
from orq_plugins.rate_limit.window import Window
from tests.plugins.talk import HELLO, Talk, ask

ROOT = Path(__file__).resolve().parents[3]
REFUSED = "redis://127.0.0.1:1/0"
OK = reply(completion("hi"))

CALLER = """
import sys, threading
from orq_core import Orq
from orq_plugins import RateLimit, RedisLimits
url, router, number = sys.argv[1], sys.argv[2], int(sys.argv[3])
plugin = RateLimit(store=RedisLimits(url, timeout=5), requests_per_minute=10, concurrency=2,
                   max_wait=float(sys.argv[4]))
said = []
with Orq("fake-key", router, plugins=[plugin], discover=False) as client:
    def work():
        try:
            client.router.chat.completions.create(
                model="fake/model", messages=[{"role": "user", "content": "x"}])
        except Exception as error:
            said.append(type(error).__name__)
        else:
            said.append("ok")
    threads = [threading.Thread(target=work) for _ in range(number)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
print(" ".join(sorted(said)))
"""


def runtime_of(mode: Mode) -> Runtime:
    return Asyncio() if mode.is_async else Blocking()


def want(owner: str, tokens: int = 1, lease: float = 60.0) -> Want:
    return Want("scope", owner, tokens, lease)


@pytest.mark.real
def test_a_script_counts_as_memory_does(mode: Mode, valkey: Any):
    runtime, store = runtime_of(mode), RedisLimits(valkey.url, timeout=5)

    async def body() -> None:
        rates = Rates(requests=3, tokens=100)
        granted = [await store.take(runtime, rates, want(str(n), 40)) for n in range(3)]
        assert [each.slot is not None for each in granted] == [True, True, False]
        assert granted[2].wait == pytest.approx(61, abs=1.1)
        slot = granted[1].slot
        assert slot is not None
        await store.settle(runtime, want("1", 40), slot, 0, -30)
        third = await store.take(runtime, rates, want("3", 40))
        assert third.slot is not None
        fourth = await store.take(runtime, rates, want("4", 1))
        assert fourth.slot is None
        await store.settle(runtime, want("3", 40), third.slot, -1, -40)
        assert (await store.take(runtime, rates, want("5", 1))).slot is not None
        huge = await store.take(runtime, Rates(tokens=10), Want("other", "o", 500, 9.0))
        assert huge.slot is not None
        none = await store.take(runtime, Rates(), Want("free", "o", 500, 9.0))
        assert none.slot is not None
        await store.close(runtime)

    mode.run(body)


@pytest.mark.real
def test_the_window_on_the_server_is_the_one_in_memory(valkey: Any):
    """Slots of the last two minutes, drawn at random, asked for the same."""
    import redis

    draw = random.Random(20)
    store = RedisLimits(valkey.url, timeout=5)
    client = redis.Redis.from_url(valkey.url)
    try:
        for number in range(200):
            scope = f"s{number}"
            key = store._keys(scope)[0]
            seconds, micros = client.time()
            now = seconds + micros / 1e6
            requests, tokens = Window(), Window()
            # A slot that is about to pass might do so between the two questions.
            ages = sorted(draw.sample([*range(59), *range(63, 120)], draw.randint(1, 12)))
            for age in reversed(ages):
                many = draw.randint(1, 50)
                for kind, window, amount in (("r", requests, 1), ("t", tokens, many)):
                    client.hset(key, f"{kind}{seconds - age}", amount)
                    window.add(now - age, amount)
            rates = Rates(requests=draw.randint(1, 8), tokens=draw.randint(50, 300))
            need = draw.randint(1, 100)
            assert rates.requests is not None
            assert rates.tokens is not None
            expected = max(
                requests.wait(now, 1, rates.requests), tokens.wait(now, need, rates.tokens)
            )
            asked = store.take(Blocking(), rates, Want(scope, "o", need, 9.0))
            verdict = drive(asked)
            if expected == 0:
                assert verdict.slot is not None
            else:
                assert verdict.wait == pytest.approx(expected, abs=0.3)
            kept = {int(name[1:]) for name in client.hkeys(key)}
            assert all(slot > seconds - 62 for slot in kept)
    finally:
        client.close()
        drive(store.close(Blocking()))


@pytest.mark.real
def test_places_and_pauses(mode: Mode, valkey: Any):
    runtime, store = runtime_of(mode), RedisLimits(valkey.url, timeout=5)
    rates = Rates(concurrency=2)

    async def body() -> None:
        assert (await store.take(runtime, rates, want("a"))).slot is not None
        # Its process dies: the place is free when its lease is over.
        assert (await store.take(runtime, rates, want("b", lease=0.2))).slot is not None
        assert await store.take(runtime, rates, want("c")) == Verdict()
        await runtime.sleep(0.25)
        assert (await store.take(runtime, rates, want("c"))).slot is not None
        await store.drop(runtime, want("c"))
        assert (await store.take(runtime, rates, want("d"))).slot is not None
        await store.settle(runtime, want("a"), 0, 0, 0)
        await store.pause(runtime, "scope", 5)
        await store.pause(runtime, "scope", 1)
        paused = await store.take(runtime, rates, want("e"))
        assert paused.wait == pytest.approx(5, abs=0.5)
        await store.close(runtime)

    mode.run(body)


@pytest.mark.real
def test_two_processes_share_a_limit(valkey: Any, orq_router: LocalRouter):
    orq_router.always(OK)
    callers = [
        subprocess.Popen(
            [sys.executable, "-c", CALLER, valkey.url, orq_router.url, "8", "3"],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    said = [word for each in callers for word in each.communicate(timeout=60)[0].split()]
    assert [each.returncode for each in callers] == [0, 0]
    assert sorted(said) == ["RateLimitWaitError"] * 6 + ["ok"] * 10
    assert len(orq_router.requests) == 10


@pytest.mark.real
def test_a_429_pauses_the_other_process(mode: Mode, valkey: Any):
    limited = reply(status=429, headers={"retry-after": "30"})

    async def body() -> list[Any]:
        answers = []
        for answer in (limited, OK):
            plugin = RateLimit(store=RedisLimits(valkey.url, timeout=5), max_wait=1)
            talk = Talk(mode, answer, plugins=[plugin])
            async with talk.client() as client:
                answers.append(await ask(mode, client))
        return answers

    _, second = mode.run(body)
    assert second.error.retry_after == pytest.approx(30, abs=1)


@pytest.mark.real
def test_a_cancelled_call_gives_its_place_back(valkey: Any):
    store = RedisLimits(valkey.url, timeout=5)
    plugin = RateLimit(store=store, concurrency=1, max_wait=5)
    transport = ScriptedTransport(OK, is_async=True)

    async def body() -> None:
        from orq_core import AsyncOrq

        arguments: Any = {"transport": transport, "plugins": [plugin], "discover": False}
        async with AsyncOrq("fake-key", "https://x.example.test", **arguments) as client:

            async def one() -> Any:
                return await client.router.chat.completions.create(model="m", messages=HELLO)

            for delay in (0.0, 0.0005, 0.001, 0.002, 0.004, 0.008):
                task = asyncio.create_task(one())
                await asyncio.sleep(delay)
                task.cancel()
                await asyncio.wait((task,))
            began = time.monotonic()
            await one()
            assert time.monotonic() - began < 2

    asyncio.run(body())


@pytest.mark.parametrize("way", ["open", "closed"])
def test_a_server_that_is_not_there(mode: Mode, way: Any, caplog: Any):
    caplog.set_level(logging.WARNING, "orq")
    plugin = RateLimit(
        store=RedisLimits(REFUSED), requests_per_minute=1, on_store_failure=way, max_wait=1
    )
    talk = Talk(mode, OK, plugins=[plugin])
    answers = talk.all({}, {}, {})
    if way == "open":
        assert [answer.error for answer in answers] == [None] * 3
    else:
        assert [type(answer.error) for answer in answers] == [PluginError] * 3
        assert answers[0].error.plugin == "rate_limit"
        assert talk.sent == 0
    assert plugin.guard.failures == 1  # the others came while it was left alone
    assert len([each for each in caplog.records if "rate_limit" in each.message]) == 1


@pytest.mark.real
def test_a_server_that_stalls_holds_no_call_up(mode: Mode, valkey: Any):
    plugin = RateLimit(
        store=RedisLimits(valkey.url, timeout=0.2), requests_per_minute=5, store_timeout=0.2
    )
    talk = Talk(mode, OK, plugins=[plugin])

    async def body() -> float:
        async with talk.client() as client:
            assert (await ask(mode, client)).error is None
            valkey.stall()
            try:
                began = time.monotonic()
                assert (await ask(mode, client)).error is None
                return time.monotonic() - began
            finally:
                valkey.go_on()

    assert mode.run(body) < 3


@pytest.mark.real
@pytest.mark.parametrize("way", ["open", "closed"])
def test_a_server_that_stalled_keeps_no_place(mode: Mode, valkey: Any, way: Any):
    """It grants one, when it goes on, to a caller that has given up."""
    plugin = RateLimit(
        store=RedisLimits(valkey.url, timeout=0.2),
        concurrency=1,
        max_wait=2,
        on_store_failure=way,
        scope="all",
    )
    talk = Talk(mode, OK, plugins=[plugin])

    async def body() -> None:
        async with talk.client() as client:
            assert (await ask(mode, client)).error is None
            valkey.stall()
            try:
                one = await ask(mode, client)
            finally:
                valkey.go_on()
            assert type(one.error) is (PluginError if way == "closed" else type(None))
            await client.runtime.sleep(1.1)  # so long the store is left alone
            assert (await ask(mode, client)).error is None

    mode.run(body)


@pytest.mark.real
def test_a_place_whose_end_the_server_never_heard_of_is_free_again(mode: Mode, valkey: Any):
    """Its lease would hold it for as long as the call might have lasted."""
    import redis

    plugin = RateLimit(
        store=RedisLimits(valkey.url, timeout=0.2),
        concurrency=1,
        max_wait=2,
        scope="all",
        store_timeout=0.2,
    )
    told = stream(chunk("hi"), chunk(finish_reason="stop"), DONE)
    talk = Talk(mode, told, plugins=[plugin])

    async def body() -> None:
        async with talk.client() as client:
            answer = await mode.create(client, messages=HELLO, model="fake/model", stream=True)
            with redis.Redis(port=valkey.port) as server:
                # What is asked meanwhile is forgotten once its connection is gone.
                server.execute_command("CLIENT", "PAUSE", "500", "ALL")
            await mode.close(answer)
            assert plugin.guard.failures == 1
            await client.runtime.sleep(0.6)
            assert (await ask(mode, client)).error is None

    mode.run(body)


@pytest.mark.real
def test_a_client_that_closes_cuts_nobody_off(mode: Mode, valkey: Any):
    """Others share the store: what they asked is answered, then the connection is closed."""
    import redis

    runtime, store = runtime_of(mode), RedisLimits(valkey.url, timeout=5)
    rates = Rates(requests=10)

    async def asked() -> None:
        assert (await store.take(runtime, rates, want("late"))).slot is not None

    async def body(threads: Any) -> None:
        await store.take(runtime, rates, want("first"))
        valkey.stall()
        if mode.is_async:
            task: Any = asyncio.create_task(asked())
        else:
            task = threads.submit(lambda: drive(asked()))
        await runtime.sleep(0.05)
        await store.close(runtime)
        valkey.go_on()
        await (task if mode.is_async else runtime.run(task.result, 10))
        with redis.Redis.from_url(valkey.url) as looker:
            assert len(looker.client_list()) == 1
        assert (await store.take(runtime, rates, want("again"))).slot is not None
        await store.close(runtime)
        await store.close(runtime)

    with ThreadPoolExecutor(1) as threads:
        mode.run(lambda: body(threads))


@pytest.mark.real
def test_clients_that_come_and_go_share_a_plugin(mode: Mode, valkey: Any):
    plugin = RateLimit(store=RedisLimits(valkey.url, timeout=5), store_timeout=5)

    async def one() -> None:
        for _ in range(20):
            async with Talk(mode, OK, plugins=[plugin]).client() as client:
                assert (await ask(mode, client)).error is None

    async def body() -> None:
        if mode.is_async:
            await asyncio.gather(*[one() for _ in range(4)])
        else:
            with ThreadPoolExecutor(4) as threads:
                for each in [threads.submit(lambda: drive(one())) for _ in range(4)]:
                    each.result(30)

    mode.run(body)
    assert plugin.guard.failures == 0


@pytest.mark.real
def test_many_callers_do_not_wait_for_a_stalled_server_in_turn(valkey: Any):
    plugin = RateLimit(
        store=RedisLimits(valkey.url, timeout=0.2),
        requests_per_minute=500,
        concurrency=100,
        store_timeout=0.2,
    )
    talk = Talk(Mode("async"), OK, plugins=[plugin])

    async def body() -> float:
        async with talk.client() as client:
            assert (await ask(talk.mode, client)).error is None
            valkey.stall()
            began = time.monotonic()
            try:
                answers = await asyncio.gather(*[ask(talk.mode, client) for _ in range(60)])
            finally:
                valkey.go_on()
            assert [each.error for each in answers] == [None] * 60
            took = time.monotonic() - began
            # What the stalled server was asked for meanwhile is not kept from those who come now.
            await asyncio.sleep(1.1)
            assert (await ask(talk.mode, client)).error is None
            return took

    assert asyncio.run(body()) < 4


def test_settings_are_checked():
    for arguments in ({"url": "http://x"}, {"timeout": 0}):
        with pytest.raises(ConfigurationError):
            RedisLimits(**arguments)  # type: ignore[arg-type]
    assert repr(RedisLimits("redis://:fake-secret@example.com")) == "<RedisLimits example.com>"
