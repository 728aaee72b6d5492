"""Many callers at once: order, limits that hold, places that come free, callers that leave."""

from __future__ import annotations

import asyncio
import threading
import time
from bisect import bisect_left
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orq_core import APIConnectionError, AsyncOrq, Orq
from orq_core._runtime import Asyncio, Blocking, drive
from orq_core.testing import DONE, Mode, ScriptedTransport, Wait, chunk, completion, reply, stream
from orq_plugins import MemoryLimits, RateLimit, RateLimitWaitError, Retries
from orq_plugins._metering import Guard
from orq_plugins.rate_limit.queue import Place, Queue
from orq_plugins.rate_limit.stores import Rates, Verdict, Want
from orq_plugins.rate_limit.turnstile import Turnstile
from tests.plugins.rate_limit.clock import call_of, in_loop, prepare, run
from tests.plugins.talk import Talk, ask

HELLO = [{"role": "user", "content": "hello"}]


def turnstile(**rates: Any) -> Turnstile:
    store = MemoryLimits()
    return Turnstile(store, Guard("rate_limit", store, "open", 1.0), Rates(**rates))


ARRIVALS = st.lists(
    st.tuples(
        st.sampled_from([0.0, 0.0, 0.01, 0.5, 1.0, 7.3, 30.0, 59.99, 60.0, 61.0]),  # since the last
        st.integers(1, 900),  # tokens expected
        st.floats(0.0, 1.0),  # the share of them that it takes
        st.sampled_from([0.0, 0.2, 3.0, 45.0]),  # seconds that it lasts
    ),
    min_size=1,
    max_size=40,
)


@settings(max_examples=150, deadline=None)
@given(ARRIVALS, st.integers(1, 6), st.integers(900, 2000), st.integers(1, 4))
def test_no_minute_holds_more_and_nobody_overtakes(
    arrivals: Any, requests: int, tokens: int, concurrency: int
):
    stile = turnstile(requests=requests, tokens=tokens, concurrency=concurrency)
    begun: list[tuple[float, int, int]] = []
    flying = {"now": 0, "most": 0}

    async def caller(runtime: Any, number: int, expected: int, used: int, lasts: float) -> None:
        call = call_of(runtime)
        ticket = await stile.enter(call, "s", "s", expected, 1e9)
        begun.append((runtime.now(), number, used))
        flying["now"] += 1
        flying["most"] = max(flying["most"], flying["now"])
        await asyncio.sleep(lasts)
        flying["now"] -= 1
        await stile.leave(call, ticket, requests=0, tokens=used - expected)

    async def body(runtime: Any) -> None:
        tasks = []
        for number, (after, expected, share, lasts) in enumerate(arrivals):
            await asyncio.sleep(after)
            used = int(expected * share)
            tasks.append(asyncio.create_task(caller(runtime, number, expected, used, lasts)))
        await asyncio.gather(*tasks)

    in_loop(body)
    assert [number for _, number, _ in begun] == list(range(len(arrivals)))
    assert flying["most"] <= concurrency
    times = [at for at, _, _ in begun]
    for first, at in enumerate(times):
        end = bisect_left(times, at + 60.0)
        assert end - first <= requests
        assert sum(used for _, _, used in begun[first:end]) <= tokens


def test_the_whole_limit_can_be_used():
    """A minute and a slot after the first ones, as many again: nothing is lost in between."""
    stile = turnstile(requests=100)

    async def body(runtime: Any) -> list[float]:
        times = []
        for _ in range(1000):
            call = call_of(runtime)
            ticket = await stile.enter(call, "s", "s", 1, 1e9)
            times.append(runtime.now())
            await stile.leave(call, ticket, requests=0, tokens=0)
        return times

    times = in_loop(body)
    assert times[-1] - times[0] == pytest.approx(9 * 61, abs=1)


def test_what_a_call_did_not_take_lets_the_next_one_go_at_once():
    stile = turnstile(tokens=1000)

    async def body(runtime: Any) -> float:
        async def first() -> None:
            ticket = await stile.enter(call_of(runtime), "s", "s", 1000, 1e9)
            await asyncio.sleep(5)
            await stile.leave(call_of(runtime), ticket, requests=0, tokens=-990)

        task = asyncio.create_task(first())
        await asyncio.sleep(1)
        began = runtime.now()
        await stile.enter(call_of(runtime), "s", "s", 900, 1e9)
        await task
        return runtime.now() - began

    assert in_loop(body) == pytest.approx(4, abs=0.01)


def test_more_than_the_limit_goes_alone(mode: Mode):
    stile = turnstile(tokens=100)

    async def body(runtime: Any) -> list[float]:
        times = []
        for tokens in (500, 10, 500):
            call = call_of(runtime)
            ticket = await stile.enter(call, "s", "s", tokens, 1e9)
            times.append(runtime.now() - 1000)
            await stile.leave(call, ticket, requests=0, tokens=0)
        return times

    assert run(mode, body) == pytest.approx([0, 61, 122], abs=0.1)


def test_scopes_do_not_wait_for_each_other():
    stile = turnstile(concurrency=1)

    async def body(runtime: Any) -> None:
        await stile.enter(call_of(runtime), "a", "a", 1, 10)
        waiting = asyncio.create_task(stile.enter(call_of(runtime), "a", "a", 1, 10))
        await asyncio.sleep(1)
        await stile.enter(call_of(runtime), "b", "b", 1, 10)
        assert stile.waiting("a") == 1
        with pytest.raises(RateLimitWaitError):
            await waiting
        assert stile.waiting("a") == 0

    in_loop(body)


def test_a_caller_that_is_cancelled_leaves_the_line():
    stile = turnstile(concurrency=1)

    async def body(runtime: Any) -> None:
        holder = await stile.enter(call_of(runtime), "s", "s", 1, 1000)
        waiting = [
            asyncio.create_task(stile.enter(call_of(runtime), "s", "s", 1, 1000)) for _ in range(5)
        ]
        await asyncio.sleep(1)
        for each in (waiting[0], waiting[2]):
            each.cancel()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert stile.waiting("s") == 3
        left = [waiting[1], waiting[3], waiting[4]]
        for each in left:
            await stile.leave(call_of(runtime), holder, requests=0, tokens=0)
            holder = await each
        assert stile.waiting("s") == 0

    in_loop(body)


@pytest.mark.parametrize("rates", [{"concurrency": 1}, {"tokens": 100}])
def test_two_plugins_with_one_store_see_what_the_other_gives_back(rates: Any):
    store = MemoryLimits()
    one, other = (
        Turnstile(store, Guard("rate_limit", store, "open", 1.0), Rates(**rates)) for _ in range(2)
    )

    async def body(runtime: Any) -> float:
        async def first() -> None:
            ticket = await one.enter(call_of(runtime), "s", "s", 100, 1000)
            await asyncio.sleep(5)
            await one.leave(call_of(runtime), ticket, requests=0, tokens=-100)

        task = asyncio.create_task(first())
        await asyncio.sleep(1)
        began = runtime.now()
        await other.enter(call_of(runtime), "s", "s", 100, 1000)
        await task
        return runtime.now() - began

    assert 4 <= in_loop(body) <= 4.3


def test_a_thread_sees_what_another_plugin_gives_back():
    store = MemoryLimits()
    one, other = (
        Turnstile(store, Guard("rate_limit", store, "open", 1.0), Rates(concurrency=1))
        for _ in range(2)
    )
    call = call_of(Blocking())
    ticket = drive(one.enter(call, "s", "s", 1, 10))
    leave = threading.Timer(0.1, lambda: drive(one.leave(call, ticket, requests=0, tokens=0)))
    leave.start()
    began = time.monotonic()
    drive(other.enter(call_of(Blocking()), "s", "s", 1, 10))
    assert time.monotonic() - began < 3
    leave.join()


def test_those_behind_an_impatient_caller_go_on():
    stile = turnstile(concurrency=1)

    async def body(runtime: Any) -> None:
        holder = await stile.enter(call_of(runtime), "s", "s", 1, 1000)
        impatient = asyncio.create_task(stile.enter(call_of(runtime), "s", "s", 1, 5))
        hurried = asyncio.create_task(stile.enter(call_of(runtime, timeout=7), "s", "s", 1, 1000))
        patient = asyncio.create_task(stile.enter(call_of(runtime), "s", "s", 1, 1000))
        began = runtime.now()
        with pytest.raises(RateLimitWaitError):
            await impatient
        assert runtime.now() - began == pytest.approx(5)
        with pytest.raises(RateLimitWaitError):
            await hurried
        assert runtime.now() - began == pytest.approx(7)
        await stile.leave(call_of(runtime), holder, requests=0, tokens=0)
        await patient

    in_loop(body)


def test_two_hundred_tasks():
    transport = ScriptedTransport(reply(completion("hi")), is_async=True)
    flying, most, send = [0], [0], transport.send

    async def slow(http: Any) -> Any:
        flying[0] += 1
        most[0] = max(most[0], flying[0])
        try:
            await asyncio.sleep(0.005)
            return await send(http)
        finally:
            flying[0] -= 1

    transport.send = slow  # type: ignore[method-assign]
    plugin = RateLimit(concurrency=8)
    arguments: Any = {"transport": transport, "plugins": [plugin], "discover": False}

    async def body() -> None:
        async with AsyncOrq("fake-key", "https://x.example.test", **arguments) as client:
            create = client.router.chat.completions.create
            tasks = [asyncio.create_task(create(model="m", messages=HELLO)) for _ in range(200)]
            await asyncio.sleep(0.02)
            for task in tasks[::10]:
                task.cancel()
            done = await asyncio.gather(*tasks, return_exceptions=True)
            assert sum(isinstance(each, BaseException) for each in done) in range(1, 21)

    asyncio.run(body())
    assert most[0] == 8
    store: Any = plugin.store
    assert sum(len(each.owners) for each in store._scopes.values()) == 0


def test_fifty_threads_and_the_tasks_of_another_client_share_places():
    store = MemoryLimits()
    stile = Turnstile(store, Guard("rate_limit", store, "open", 1.0), Rates(concurrency=3))
    lock, flying, most, done = threading.Lock(), [0], [0], [0]

    def step(by: int) -> None:
        with lock:
            flying[0] += by
            most[0] = max(most[0], flying[0])
            done[0] += by < 0

    async def one(runtime: Any) -> None:
        call = call_of(runtime)
        ticket = await stile.enter(call, "s", "s", 1, 60)
        step(1)
        await call.sleep(0.002)
        step(-1)
        await stile.leave(call, ticket, requests=0, tokens=0)

    threads = [threading.Thread(target=lambda: drive(one(Blocking()))) for _ in range(50)]
    for thread in threads:
        thread.start()

    async def tasks() -> None:
        await asyncio.gather(*[one(Asyncio()) for _ in range(50)])

    began = time.monotonic()
    asyncio.run(tasks())
    for thread in threads:
        thread.join(30)
    assert time.monotonic() - began < 20
    assert (done[0], flying[0]) == (100, 0)
    assert most[0] == 3
    assert stile.waiting("s") == 0


def test_a_429_that_is_repeated_has_the_others_wait():
    """Why the limit stands inside of the repeats: outside of them nobody would hear of it."""
    limited = reply(status=429, headers={"retry-after": "5"})
    transport = ScriptedTransport(limited, reply(completion("hi")), is_async=True)
    times: list[float] = []
    send = transport.send

    async def body(runtime: Any) -> None:
        async def timed(http: Any) -> Any:
            times.append(round(runtime.now() - 1000, 1))
            return await send(http)

        transport.send = timed  # type: ignore[method-assign]
        plugins = [Retries(), RateLimit()]
        arguments: Any = {"transport": transport, "plugins": plugins, "discover": False}
        async with AsyncOrq("fake-key", "https://x.example.test", **arguments) as client:
            create = prepare(client, runtime).router.chat.completions.create
            tasks = []
            for _ in range(3):
                tasks.append(asyncio.create_task(create(model="m", messages=HELLO)))
                await asyncio.sleep(1)
            answers = await asyncio.gather(*tasks)
        assert [len(each.info.attempts) for each in answers] == [2, 1, 1]

    in_loop(body)
    assert times == [0, 5, 5, 5]


class FarLimits(MemoryLimits):
    """Takes its time to answer."""

    is_shared = True

    async def take(self, runtime: Any, rates: Any, want: Any) -> Verdict:
        await runtime.sleep(0.01)
        return await super().take(runtime, rates, want)


def test_the_time_that_a_store_takes_is_no_wait_for_the_limit(mode: Mode):
    """Callers stand in line for the store too, and those may not wait at all."""
    plugin = RateLimit(requests_per_minute=5, max_wait=0, store=FarLimits())
    talk = Talk(mode, reply(completion("hi")), plugins=[plugin])

    def asked(client: Any) -> Any:
        return drive(ask(mode, client))

    async def body() -> list[Any]:
        async with talk.client() as client:
            if mode.is_async:
                return await asyncio.gather(*[ask(mode, client) for _ in range(8)])
            with ThreadPoolExecutor(8) as threads:
                return list(threads.map(asked, [client] * 8))

    errors = [type(each.error) for each in mode.run(body)]
    assert sorted(errors, key=str) == [type(None)] * 5 + [RateLimitWaitError] * 3


def test_closing_the_client_wakes_threads_that_wait():
    plugin = RateLimit(concurrency=1, max_wait=100)
    gate = threading.Event()
    ok = reply(completion("hi"))
    transport = ScriptedTransport(ok.__class__(200, ok.headers, (Wait(gate), *ok.steps)))
    client = Orq("fake-key", "https://x.example.test", transport=transport, plugins=[plugin])
    caught: list[BaseException] = []

    def work() -> None:
        try:
            client.router.chat.completions.create(model="m", messages=HELLO, retries=0)
        except BaseException as error:
            caught.append(error)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    latest = time.monotonic() + 10
    while sum(map(plugin._turnstile.waiting, plugin._turnstile._queue._lines.copy())) < 2:
        assert time.monotonic() < latest
        time.sleep(0.01)
    client.close()
    gate.set()
    for thread in threads:
        thread.join(10)
    assert [type(error) for error in caught] == [APIConnectionError] * 2


def test_closing_the_client_wakes_tasks_that_wait():
    """They would send when their turn comes, over connections that nobody closes any more."""
    mode, plugin = Mode("async"), RateLimit(concurrency=1, max_wait=100)
    ok = stream(chunk("hi"), chunk(finish_reason="stop"), DONE)
    talk = Talk(mode, ok, plugins=[plugin])

    async def body() -> None:
        async with talk.client() as client:
            first = await mode.create(client, messages=HELLO, model="fake/model", stream=True)
            tasks = [asyncio.create_task(ask(mode, client)) for _ in range(3)]
            await asyncio.sleep(0.05)
        answers = await asyncio.wait_for(asyncio.gather(*tasks), 5)
        assert [type(each.error) for each in answers] == [APIConnectionError] * 3
        await first.aclose()

    asyncio.run(body())
    assert talk.sent == 1


def test_a_queue_is_empty_in_a_forked_child(monkeypatch: pytest.MonkeyPatch):
    queue = Queue()
    one, other = (Place(call_of(Blocking())) for _ in range(2))
    queue.join("s", one)
    monkeypatch.setattr("os.getpid", lambda: -1)
    queue.join("s", other)
    assert queue.first("s") is other
    queue.leave("s", one)
    assert queue.first("s") is other
    queue.leave("unknown", one)


def test_places_of_a_parent_are_free_in_a_forked_child(mode: Mode, monkeypatch: Any):
    store, rates = MemoryLimits(), Rates(requests=2, concurrency=1)

    async def body(runtime: Any) -> None:
        one, two, three = (Want("s", owner, 1, 9.0) for owner in "abc")
        assert (await store.take(runtime, rates, one)).slot is not None
        assert await store.take(runtime, rates, two) == Verdict()
        monkeypatch.setattr("os.getpid", lambda: -1)
        slot = (await store.take(runtime, rates, two)).slot
        assert slot is not None
        assert await store.take(runtime, rates, three) == Verdict()
        await store.settle(runtime, two, slot, 0, 0)
        # What was sent in this minute still counts.
        assert (await store.take(runtime, rates, three)).wait == pytest.approx(61, abs=1)

    run(mode, body)


def test_what_has_no_limit_is_forgotten_too(mode: Mode):
    store = MemoryLimits()

    async def body(runtime: Any) -> None:
        for number in range(500):
            verdict = await store.take(runtime, Rates(), Want("s", str(number), 1, 9.0))
            assert verdict.slot is not None
            await store.settle(runtime, Want("s", str(number), 1, 9.0), verdict.slot, 0, 0)
            await runtime.sleep(1)
        (counts,) = store._scopes.values()
        assert len(counts.requests._slots) <= 62
        assert len(counts.tokens._slots) <= 62

    run(mode, body)


def test_scopes_at_rest_are_forgotten(mode: Mode):
    store = MemoryLimits()

    async def body(runtime: Any) -> None:
        for number in range(3000):
            want = Want(f"s{number}", str(number), 1, 9.0)
            verdict = await store.take(runtime, Rates(requests=1, concurrency=1), want)
            assert verdict.slot is not None
            if number != 7:
                await store.settle(runtime, want, verdict.slot, 0, 0)
            await runtime.sleep(1)
        assert len(store._scopes) <= 1200
        assert "s7" in store._scopes

    run(mode, body)
