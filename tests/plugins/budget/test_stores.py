"""Budgets on a real server: the same as in memory, shared by processes, and when it fails."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from orq_core import PluginError
from orq_core._runtime import Asyncio, Blocking, Runtime, drive
from orq_core.testing import LocalRouter, Mode, completion, reply
from orq_plugins import Budget, BudgetLimit, MemoryBudgets, RedisBudgets
from orq_plugins._metering import digest
from orq_plugins.budget import Account, Spent
from tests.plugins.talk import Talk, ask

ROOT = Path(__file__).resolve().parents[3]
OK = reply({**completion("hi"), "usage": {"prompt_tokens": 60, "completion_tokens": 40}})
CALLER = """
import sys, threading
from orq_core import Orq
from orq_plugins import Budget, BudgetLimit, RedisBudgets
url, router, number = sys.argv[1], sys.argv[2], int(sys.argv[3])
budget = Budget(BudgetLimit(tokens=1000, period="day"), store=RedisBudgets(url, timeout=5),
                estimate=lambda request: 60, answer_tokens=40)
said = []
with Orq("fake-key", router, plugins=[budget], discover=False) as client:
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


@pytest.fixture(params=["memory", pytest.param("redis", marks=pytest.mark.real)])
def store(request: pytest.FixtureRequest) -> Any:
    if request.param == "memory":
        return MemoryBudgets()
    return RedisBudgets(request.getfixturevalue("valkey").url, timeout=5)


def test_all_or_nothing(mode: Mode, store: Any):
    runtime = runtime_of(mode)
    hour = Account("s", "hour", 100, None, 60.0)
    total = Account("s", "total", None, 500, None)

    async def body() -> None:
        assert await store.reserve(runtime, [hour, total], Spent(60, 100)) == (
            True,
            [Spent(), Spent()],
        )
        assert await store.reserve(runtime, [hour, total], Spent(60, 100)) == (
            False,
            [Spent(60, 100)] * 2,
        )
        assert await store.reserve(runtime, [hour, total], Spent(1, 401)) == (
            False,
            [Spent(60, 100)] * 2,
        )
        assert await store.settle(runtime, [hour, total], Spent(-20, 50)) == [Spent(40, 150)] * 2
        assert await store.settle(runtime, [hour, total], Spent(-99, -999)) == [Spent()] * 2
        assert (await store.reserve(runtime, [hour], Spent(100, 10**15)))[0]
        assert not (await store.reserve(runtime, [hour], Spent(1, 0)))[0]
        await store.close(runtime)

    mode.run(body)


@pytest.mark.real
def test_an_account_ends_with_its_period(mode: Mode, valkey: Any):
    runtime, store = runtime_of(mode), RedisBudgets(valkey.url, timeout=5)
    account = Account("s", "hour", 100, None, 0.1)

    async def body() -> None:
        assert (await store.reserve(runtime, [account], Spent(100)))[0]
        await runtime.sleep(0.15)
        # A call that ends so late has nothing left to settle.
        assert await store.settle(runtime, [account], Spent(-50)) == [Spent()]
        assert (await store.reserve(runtime, [account], Spent(100)))[0]
        await store.close(runtime)

    mode.run(body)


def test_threads_never_pass_the_limit(store: Any):
    account = Account("s", "total", 100, None, None)
    fits: list[bool] = []

    def work() -> None:
        for _ in range(5):
            fits.append(drive(store.reserve(Blocking(), [account], Spent(1)))[0])

    threads = [threading.Thread(target=work) for _ in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert (len(fits), sum(fits)) == (250, 100)
    drive(store.close(Blocking()))


def test_tasks_never_pass_the_limit(store: Any):
    account = Account("s", "total", 100, None, None)
    runtime = Asyncio()

    async def body() -> int:
        asked = [store.reserve(runtime, [account], Spent(1)) for _ in range(200)]
        fits = sum(fits for fits, _ in await asyncio.gather(*asked))
        await store.close(runtime)
        return fits

    assert asyncio.run(body()) == 100


@pytest.mark.real
def test_two_processes_share_a_budget(valkey: Any, orq_router: LocalRouter):
    orq_router.always(OK)
    callers = [
        subprocess.Popen(
            [sys.executable, "-c", CALLER, valkey.url, orq_router.url, "8"],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    said = [word for each in callers for word in each.communicate(timeout=60)[0].split()]
    assert sorted(said) == ["BudgetExceededError"] * 6 + ["ok"] * 10
    assert len(orq_router.requests) == 10


@pytest.mark.parametrize("way", ["open", "closed"])
def test_a_server_that_is_not_there(mode: Mode, way: Any, caplog: Any):
    budget = Budget(
        BudgetLimit(tokens=1), store=RedisBudgets("redis://127.0.0.1:1/0"), on_store_failure=way
    )
    talk = Talk(mode, OK, plugins=[budget])
    answers = talk.all({}, {})
    if way == "open":
        assert [each.error for each in answers] == [None, None]
    else:
        assert [type(each.error) for each in answers] == [PluginError] * 2
        assert talk.sent == 0
    assert len([each for each in caplog.records if "store of budget" in each.message]) == 1


@pytest.mark.real
@pytest.mark.parametrize("way", ["open", "closed"])
@pytest.mark.parametrize("comes_again", [True, False])
def test_a_server_that_stalled_keeps_nothing_reserved(
    mode: Mode, valkey: Any, way: Any, comes_again: bool
):
    """It obeys, when it goes on, what it was asked by those who have given up."""
    store = RedisBudgets(valkey.url, timeout=0.2)
    budget = Budget(BudgetLimit(tokens=10_000), store=store, on_store_failure=way)
    talk = Talk(mode, OK, plugins=[budget])
    runtime = runtime_of(mode)
    account = Account(digest("all"), "total", None, None, None)

    async def spent() -> int:
        return (await store.settle(runtime, [account], Spent()))[0].tokens

    async def body() -> None:
        async with talk.client() as client:
            assert (await ask(mode, client)).error is None
            valkey.stall()
            try:
                one = await ask(mode, client, max_tokens=900)
            finally:
                valkey.go_on()
            assert type(one.error) is (PluginError if way == "closed" else type(None))
            latest = time.monotonic() + 5
            while await spent() < 1000:
                assert time.monotonic() < latest
                await runtime.sleep(0.01)
            if comes_again:
                await runtime.sleep(1.1)  # so long the store is left alone
                assert (await ask(mode, client)).error is None
                assert await spent() == 200
        assert await spent() == (200 if comes_again else 100)
        await store.close(runtime)

    mode.run(body)


@pytest.mark.real
@pytest.mark.parametrize(("expected", "meanwhile"), [(Spent(30), 90), (Spent(41), 60)])
def test_only_what_was_reserved_is_undone(mode: Mode, valkey: Any, expected: Spent, meanwhile: int):
    from redis.exceptions import RedisError

    runtime, store = runtime_of(mode), RedisBudgets(valkey.url, timeout=0.2)
    accounts = [Account("s", name, 100, None, None) for name in ("hour", "total")]

    async def body() -> None:
        assert (await store.reserve(runtime, accounts, Spent(60, 7)))[0]
        valkey.stall()
        try:
            with pytest.raises(RedisError):
                await store.reserve(runtime, accounts, expected)
        finally:
            valkey.go_on()
        await runtime.sleep(0.1)
        assert (await store.settle(runtime, accounts, Spent()))[0] == Spent(meanwhile, 7)
        for _ in range(3):
            assert await store.reserve(runtime, accounts, Spent()) == (True, [Spent(60, 7)] * 2)
        await store.close(runtime)

    mode.run(body)


@pytest.mark.real
def test_what_the_server_refuses_to_undo_holds_nobody_up(mode: Mode, valkey: Any):
    from redis import Redis
    from redis.exceptions import RedisError

    runtime, store = runtime_of(mode), RedisBudgets(valkey.url, timeout=0.2)
    account, spoilt = (Account("s", name, 100, None, None) for name in ("total", "hour"))

    async def body() -> None:
        assert (await store.reserve(runtime, [account], Spent(60)))[0]
        valkey.stall()
        try:
            with pytest.raises(RedisError):
                await store.reserve(runtime, [account, spoilt], Spent(30))
        finally:
            valkey.go_on()
        await runtime.sleep(0.1)
        with Redis.from_url(valkey.url) as other:
            (key,) = other.keys("*:hour")
            other.set(key, "no hash")
        assert (await store.reserve(runtime, [account], Spent(1)))[0]
        await store.close(runtime)

    mode.run(body)


@pytest.mark.real
def test_a_cancelled_call_is_settled(valkey: Any):
    from orq_core import AsyncOrq
    from orq_core.testing import ScriptedTransport, Stall, chunk, stream
    from tests.plugins.talk import HELLO

    runtime, store = Asyncio(), RedisBudgets(valkey.url, timeout=5)
    budget = Budget(BudgetLimit(tokens=10_000), store=store, estimate=lambda request: 100)
    transport = ScriptedTransport(stream(chunk("a" * 40), Stall()).by_event(), is_async=True)
    arguments: Any = {"transport": transport, "plugins": [budget], "discover": False}

    async def body() -> None:
        async with AsyncOrq("fake-key", "https://x.example.test", **arguments) as client:
            begun = asyncio.Event()

            async def one() -> None:
                create = client.router.chat.completions.create
                async with await create(model="m", messages=HELLO, stream=True) as result:
                    async for _ in result:
                        begun.set()
                        await asyncio.sleep(60)

            task = asyncio.create_task(one())
            await begun.wait()
            task.cancel()
            task.cancel()
            await asyncio.wait((task,))
            latest = time.monotonic() + 5
            account = Account(digest("all"), "total", None, None, None)
            while True:
                (spent,) = await store.settle(runtime, [account], Spent())
                if spent.tokens == 110:
                    return
                assert time.monotonic() < latest
                await asyncio.sleep(0.01)

    asyncio.run(body())


def test_a_repr_holds_no_password():
    shown = repr(RedisBudgets("redis://:fake-secret@example.com"))
    assert shown == "<RedisBudgets example.com>"
