"""What goes wrong around shared requests: races, leaks, wrong hits; each once was possible."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import sqlite3
import threading
import time
import weakref
from typing import Any

import msgspec
import pytest
from attrs import evolve

from orq_core import (
    APITimeoutError,
    AsyncOrq,
    Orq,
    StreamTruncatedError,
    Timeout,
    hookimpl,
    to_dict,
)
from orq_core._runtime import Asyncio, Blocking, drive
from orq_core.testing import (
    DONE,
    Cut,
    Mode,
    ScriptedTransport,
    Stall,
    Wait,
    chunk,
    completion,
    reply,
    stream,
)
from orq_plugins.caching import Caching, MemoryStore, SQLiteStore
from orq_plugins.caching.entry import Entry
from orq_plugins.caching.flight import Flight
from orq_plugins.caching.guard import GuardedStore
from orq_plugins.caching.key import canonical
from tests.plugins.talk import HELLO, KEY, OK, OK_STREAM, SERVER, Talk, ask

CALL: dict[str, Any] = {"model": "fake/model", "messages": HELLO, "temperature": 0}
STREAMED = {**CALL, "stream": True}
STOP = chunk(finish_reason="stop")
LARGE = [chunk(f"{number} ") for number in range(600)]
PATIENCE = 10


def client_of(mode: Mode, transport: Any, *plugins: Any, **more: Any) -> dict[str, Any]:
    return {
        "api_key": KEY,
        "server_url": SERVER,
        "transport": transport,
        "plugins": plugins,
        "discover": False,
        **more,
    }


def options(**given: Any) -> dict[str, Any]:
    return {"plugin_options": {"caching": given}}


def until(condition: Any) -> None:
    latest = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < latest
        time.sleep(0.001)


def dropping() -> Any:
    return pytest.warns(ResourceWarning, match="a stream was dropped")


def in_threads(*works: Any) -> None:
    """Run them at the same time; each has to end soon."""
    threads = [threading.Thread(target=work, daemon=True) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert not any(thread.is_alive() for thread in threads), "a thread hangs"


class Clock:
    def __init__(self) -> None:
        self.now = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now


class Leases(MemoryStore):
    """A store that others share, and that tells what it was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.owners: dict[str, str] = {}
        self.sets = 0

    async def acquire(self, runtime: Any, key: str, owner: str, seconds: float) -> bool:
        return self.owners.setdefault(key, owner) == owner

    async def release(self, runtime: Any, key: str, owner: str) -> None:
        if self.owners.get(key) == owner:
            del self.owners[key]

    async def set(self, runtime: Any, key: str, value: bytes, ttl: float | None) -> None:
        self.sets += 1
        await super().set(runtime, key, value, ttl)


def changing(change: Any) -> Any:
    """A plugin within the cache that does something to every item."""

    class Changing:
        @hookimpl(trylast=True)
        def orq_wrap_create(self, call: Any) -> Any:
            async def around(call: Any, request: Any, proceed: Any) -> Any:
                async for item in proceed(request):
                    change(item)
                    yield item

            return around

    return Changing()


# Large answers


def test_a_large_answer_left_early_is_closed():
    mode = Mode("async")
    transport = ScriptedTransport(stream(*LARGE, STOP, DONE), is_async=True)
    plugin = Caching(max_entry_bytes=1000)

    async def body() -> None:
        async with mode.client(**client_of(mode, transport, plugin)) as client:
            answer = await client.router.chat.completions.create(**STREAMED)
            await anext(answer)
            await asyncio.sleep(0.05)  # for the request to run ahead as far as it may
            await answer.aclose()
            assert transport.open_responses == 0
            assert plugin._flights._flying == {}

    mode.run(body)


class Suspending:
    """Lets other tasks run before every item, as a socket does."""

    @hookimpl(trylast=True)
    def orq_wrap_create(self, call: Any) -> Any:
        async def around(call: Any, request: Any, proceed: Any) -> Any:
            async for item in proceed(request):
                await call.sleep(0)
                yield item

        return around


def test_two_streams_of_a_large_answer_are_read_one_after_the_other(mode: Mode):
    gate = threading.Event()
    transport = ScriptedTransport(
        stream(*LARGE[:1], Wait(gate), *LARGE[1:], STOP, DONE), is_async=mode.is_async
    )
    plugin = Caching(max_entry_bytes=1000)

    async def body() -> None:
        async with mode.client(**client_of(mode, transport, plugin, Suspending())) as client:
            slow = await mode.create(client, **STREAMED)
            fast = await mode.create(client, **STREAMED)
            gate.set()
            for each in (fast, slow):
                whole = mode.completion(each)
                whole = await (asyncio.wait_for(whole, PATIENCE) if mode.is_async else whole)
                assert len(whole.text.split()) == len(LARGE)

    mode.run(body)
    assert len(transport.requests) == 1
    assert transport.open_responses == 0


def test_a_fast_and_a_slow_reader_of_a_large_answer():
    """The slow one sets out again while the fast one waits for what is next."""
    transport = ScriptedTransport(stream(*LARGE, STOP, DONE), is_async=True)
    plugin = Caching(max_entry_bytes=1000)

    async def body() -> None:
        given = client_of(Mode("async"), transport, plugin, Suspending())
        async with AsyncOrq(**given) as client:
            slow = await client.router.chat.completions.create(**STREAMED)
            fast = await client.router.chat.completions.create(**STREAMED)
            for _ in range(400):
                await anext(fast)
            assert len(asyncio.all_tasks()) <= 2
            both = await asyncio.gather(slow.completion(), fast.completion())
            assert [len(each.text.split()) for each in both] == [len(LARGE)] * 2

    asyncio.run(body())
    assert transport.open_responses == 0


def test_what_one_caller_does_to_a_large_answer_is_not_anothers(mode: Mode):
    gate = threading.Event()
    transport = ScriptedTransport(
        stream(chunk("a"), Wait(gate), *LARGE[:40], STOP, DONE), is_async=mode.is_async
    )

    async def body() -> None:
        plugin = Caching(max_entry_bytes=1000)
        async with mode.client(**client_of(mode, transport, plugin)) as client:
            one = await mode.create(client, **STREAMED)
            two = await mode.create(client, **STREAMED)
            gate.set()
            async for item in mode.iterate(one):
                for choice in item.choices:
                    choice.delta.content = "scribbled over"
            assert "scribbled" not in (await mode.completion(two)).text

    mode.run(body)


def test_an_item_that_can_not_be_written_hangs_nobody(mode: Mode):
    def change(item: Any) -> None:
        item.extra["odd"] = object()

    gate = threading.Event()
    transport = ScriptedTransport(
        stream(Wait(gate), chunk("a"), chunk("b"), STOP, DONE), is_async=mode.is_async
    )
    plugin = Caching()

    async def body() -> None:
        async with mode.client(**client_of(mode, transport, plugin, changing(change))) as client:
            gate.set()
            one = mode.create(client, **STREAMED)
            one = await (asyncio.wait_for(one, 5) if mode.is_async else one)
            assert (await mode.completion(one)).text == "ab"

    mode.run(body)
    assert transport.open_responses == 0


# Answers fetched ahead of need


def stale(mode: Mode, *later: Any, **more: Any) -> tuple[Any, Any, Clock]:
    clock = Clock()
    plugin = Caching(ttl=60, stale_while_revalidate=600, clock=clock, **more)
    return Talk(mode, OK, *later, plugins=[plugin]), plugin, clock


def test_a_follower_of_a_background_request_reads_and_leaves(mode: Mode):
    """It neither pulls beside the background thread nor closes the request under it."""
    first, rest = threading.Event(), threading.Event()
    parts = [chunk(f"{number} ") for number in range(30)]
    talk, plugin, clock = stale(
        mode, stream(Wait(first), *parts[:10], Wait(rest), *parts[10:], STOP, DONE)
    )

    async def body() -> None:
        async with talk.client() as client:
            await talk.ask(client, **STREAMED)
            clock.now += 70
            assert (await talk.ask(client, **STREAMED)).note("caching")["result"] == "stale"
            first.set()
            clock.now += 700
            joined = await mode.create(client, **STREAMED)
            assert joined.info.notes["caching"]["result"] == "coalesced"
            await mode.close(joined)
            rest.set()
            await plugin._flights.settle(client.runtime)
            last = await talk.ask(client, **STREAMED)
            assert last.text == "".join(f"{number} " for number in range(30))
            assert last.note("caching")["result"] == "hit"

    mode.run(body)
    assert talk.sent == 2
    assert talk.transport.open_responses == 0


def test_followers_and_a_background_request_pull_in_turn():
    mode = Mode("sync")
    parts = [chunk(f"{number} ") for number in range(300)]
    for _ in range(10):
        gate = threading.Event()
        talk, _plugin, clock = stale(mode, stream(Wait(gate), *parts, STOP, DONE))
        with Orq(**talk.arguments) as client:
            drive(talk.ask(client, **STREAMED))
            clock.now += 70
            drive(talk.ask(client, **STREAMED))
            clock.now += 700
            texts: list[str] = []

            def read(client: Any = client, texts: list[str] = texts) -> None:
                texts.append(client.router.chat.completions.create(**STREAMED).completion().text)

            threads = [threading.Thread(target=read, daemon=True) for _ in range(3)]
            for thread in threads:
                thread.start()
            gate.set()
            for thread in threads:
                thread.join(PATIENCE)
            assert texts == ["".join(f"{number} " for number in range(300))] * 3
        assert talk.transport.open_responses == 0


def test_a_large_answer_in_the_background_is_not_piled_up(mode: Mode):
    kept: list[int] = []

    def look(item: Any) -> None:
        for flight in tuple(plugin._flights._flying.values()):
            held = [each for each in flight.recording._items if each is not None]
            kept.append(len(held))

    talk, plugin, clock = stale(mode, stream(*LARGE, STOP, DONE), max_entry_bytes=1000)
    talk.arguments["plugins"] = [plugin, changing(look)]

    async def body() -> None:
        async with talk.client() as client:
            await talk.ask(client, **STREAMED)
            clock.now += 70
            await talk.ask(client, **STREAMED)
            await plugin._flights.settle(client.runtime)

    mode.run(body)
    assert len(kept) > len(LARGE)
    assert max(kept) < 300
    assert talk.transport.open_responses == 0


def test_only_if_cached_asks_nobody(mode: Mode):
    talk, plugin, clock = stale(mode, reply(completion("newer")))

    async def body() -> None:
        async with talk.client() as client:
            await talk.ask(client, **CALL)
            clock.now += 70
            answer = await talk.ask(client, **CALL, **options(only_if_cached=True))
            assert answer.note("caching")["result"] == "stale"
            await plugin._flights.settle(client.runtime)

    mode.run(body)
    assert talk.sent == 1


def test_closing_a_blocking_client_within_a_loop_that_has_work():
    gate = threading.Event()
    talk, plugin, clock = stale(Mode("async"), stream(Wait(gate), chunk("x"), STOP, DONE))

    async def body() -> None:
        other = Orq(**client_of(Mode("sync"), ScriptedTransport(OK), plugin))
        async with talk.client() as client:
            await talk.ask(client, **CALL)
            clock.now += 70
            await talk.ask(client, **CALL)
            other.close()
            gate.set()

    Mode("async").run(body)
    assert talk.transport.open_responses == 0


def test_a_background_request_that_outlives_its_client_is_ended():
    """By then the loop is closed without a farewell: nothing may be pending."""
    gate = threading.Event()
    talk, plugin, clock = stale(Mode("async"), stream(Wait(gate), chunk("x"), STOP, DONE))

    async def body() -> None:
        from orq_plugins.caching import flights

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(flights, "_PATIENCE", 0.01)
            async with talk.client() as client:
                await talk.ask(client, **CALL)
                clock.now += 70
                await talk.ask(client, **CALL)
        assert len(asyncio.all_tasks()) == 1

    loop = asyncio.new_event_loop()
    loop.run_until_complete(body())
    loop.close()
    assert plugin._flights._flying == {}
    assert talk.transport.open_responses == 0


# The guard around a store


def test_no_cancellation_is_lost_to_a_store():
    """Also one that comes in the same moment as the store's answer."""

    class Ready(MemoryStore):
        async def get(self, runtime: Any, key: str) -> bytes | None:
            asyncio.get_running_loop().call_soon(call.cancel)
            return None

    guarded = GuardedStore(Ready(), 5)

    async def body() -> None:
        nonlocal call

        async def get() -> None:
            await guarded.get(Asyncio(), "a")
            went_on.append(True)
            await asyncio.sleep(0)

        call = asyncio.create_task(get())
        await asyncio.wait((call,))

    call: Any = None
    went_on: list[bool] = []
    asyncio.run(body())
    assert call.cancelled()
    assert went_on == []


def test_a_slow_store_cancels_no_task_but_its_own():
    """Dropping a stream asks the store in one task, and goes on in another."""
    gate = threading.Event()

    class Slow(MemoryStore):
        async def release(self, runtime: Any, key: str, owner: str) -> None:
            if gate.is_set():
                await asyncio.sleep(60)

    plugin = Caching(store=Slow(), store_timeout=0.02)
    talk = Talk(Mode("async"), OK_STREAM, plugins=[plugin])

    async def body() -> None:
        async with talk.client() as client:
            opened = await client.router.chat.completions.create(**STREAMED)
            async for each in opened:
                if each.choices[0].finish_reason:
                    break
            await asyncio.sleep(0.01)
            gate.set()
            with dropping():
                del opened, each
            await asyncio.sleep(0.1)
        assert len(asyncio.all_tasks()) == 1

    asyncio.run(body())
    assert plugin.store.failures == 1
    assert talk.transport.open_responses == 0


# Leases


def test_an_old_answer_is_not_taken_for_that_of_another_process(mode: Mode):
    clock, store = Clock(), Leases()
    plugin = Caching(store=store, ttl=60, stale_if_error=600, lease=0.05, clock=clock)
    talk = Talk(mode, OK, reply(completion("newer")), plugins=[plugin])

    async def body() -> None:
        async with talk.client() as client:
            await talk.ask(client, **CALL)
            (key,) = [each for each in store._values if each != "orq-secret"]
            clock.now += 70
            store.owners[key] = "another process"
            assert (await talk.ask(client, **CALL)).text == "newer"
            assert (await talk.ask(client, **CALL)).note("caching")["result"] == "hit"

    mode.run(body)
    assert talk.sent == 2


def test_what_another_process_stored_is_not_stored_again(mode: Mode):
    class Holder(Leases):
        """Another process that answers while it is waited for."""

        def __init__(self) -> None:
            super().__init__()
            self.answer: tuple[str, bytes] | None = None

        async def acquire(self, runtime: Any, key: str, owner: str, seconds: float) -> bool:
            if key != "orq-secret" and self.answer is not None:
                (name, value), self.answer = self.answer, None
                await MemoryStore.set(self, runtime, name, value, None)
                return False
            return await super().acquire(runtime, key, owner, seconds)

    clock, store = Clock(), Holder()
    plugin = Caching(store=store, ttl=60, clock=clock)
    talk = Talk(mode, OK, plugins=[plugin])

    async def body() -> None:
        async with talk.client() as client:
            await talk.ask(client, **CALL)
            (key,) = [each for each in store._values if each != "orq-secret"]
            value = store._values[key][0]
            await store.delete(client._core.runtime, key)
            store.answer, store.sets = (key, value), 0
            clock.now += 50
            answer = await talk.ask(client, **CALL)
            assert answer.text == "hi there"
            assert answer.note("caching")["result"] == "coalesced"
            assert store.sets == 0
            clock.now += 20
            assert (await talk.ask(client, **CALL)).note("caching")["result"] == "miss"

    mode.run(body)
    assert talk.sent == 2


def test_who_is_served_a_stale_answer_is_told_nothing_of_the_next(mode: Mode):
    class Holder(Leases):
        """Another process that stores a new answer while it is waited for."""

        stale = False

        async def acquire(self, runtime: Any, key: str, owner: str, seconds: float) -> bool:
            if self.stale:
                entry = Entry.load(self._values[key][0])
                assert entry is not None
                await self.set(runtime, key, evolve(entry, created=clock.now).dump(), None)
                return False
            return await super().acquire(runtime, key, owner, seconds)

    clock, store = Clock(), Holder()
    plugin = Caching(store=store, ttl=60, stale_while_revalidate=60, clock=clock, secret=b"fake")
    talk = Talk(mode, OK, plugins=[plugin])

    async def body() -> Any:
        async with talk.client() as client:
            await talk.ask(client, **CALL)
            clock.now += 70
            store.stale = True
            stale = await talk.ask(client, **CALL)
            await plugin._flights.settle(client.runtime)
            return stale

    note = mode.run(body).note("caching")
    assert (note["result"], note["age"]) == ("stale", 70)
    assert talk.sent == 1


def test_a_caller_cancelled_while_it_stores_gives_the_lease_back():
    class Slow(Leases):
        async def set(self, runtime: Any, key: str, value: bytes, ttl: float | None) -> None:
            if key != "orq-secret":
                storing.set()
                await asyncio.sleep(30)
            await super().set(runtime, key, value, ttl)

    storing = asyncio.Event()
    store = Slow()
    talk = Talk(Mode("async"), OK, plugins=[Caching(store=store, store_timeout=60)])

    async def body() -> None:
        async with talk.client() as client:
            call = asyncio.create_task(talk.ask(client, **CALL))
            await storing.wait()
            call.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await call
            assert store.owners == {}

    Mode("async").run(body)


def test_an_answer_stored_between_two_looks_is_not_fetched_again(mode: Mode):
    """Another caller's request lands after this one has looked and before it asks."""

    class Late(MemoryStore):
        late: tuple[str, bytes] | None = None

        async def acquire(self, runtime: Any, key: str, owner: str, seconds: float) -> bool:
            if key != "orq-secret" and self.late is not None:
                await self.set(runtime, *self.late, None)
            return True

    store = Late()
    talk = Talk(mode, OK, plugins=[Caching(store=store)])

    async def body() -> None:
        async with talk.client() as client:
            await talk.ask(client, **CALL)
            (key,) = [each for each in store._values if each != "orq-secret"]
            store.late = key, store._values[key][0]
            await store.delete(client._core.runtime, key)
            assert (await talk.ask(client, **CALL)).text == "hi there"

    mode.run(body)
    assert talk.sent == 1


# Wrong hits


@pytest.mark.parametrize("damage", [b"\xc1", msgspec.msgpack.encode((5, None))])
def test_an_entry_damaged_within_is_a_miss(mode: Mode, damage: bytes):
    class Damaged(MemoryStore):
        async def get(self, runtime: Any, key: str) -> Any:
            found = await super().get(runtime, key)
            if found is None or key == "orq-secret":
                return found
            return msgspec.msgpack.encode((*msgspec.msgpack.decode(found)[:3], [damage]))

    talk = Talk(mode, OK, plugins=[Caching(store=Damaged())])
    answers = talk.all(CALL, CALL, STREAMED)
    assert [answer.text for answer in answers] == ["hi there"] * 3
    assert [answer.note("caching")["result"] for answer in answers] == ["miss"] * 3


def test_an_entry_without_items_is_a_miss(mode: Mode):
    class Emptied(MemoryStore):
        async def get(self, runtime: Any, key: str) -> Any:
            found = await super().get(runtime, key)
            if found is None or key == "orq-secret":
                return found
            return msgspec.msgpack.encode((*msgspec.msgpack.decode(found)[:3], []))

    talk = Talk(mode, OK, plugins=[Caching(store=Emptied())])
    assert [answer.text for answer in talk.all(CALL, STREAMED)] == ["hi there"] * 2


def test_who_accepts_truncated_answers_shares_them_with_nobody_else(mode: Mode):
    gate = threading.Event()
    gate.set()
    cut = stream(chunk("a"), Wait(gate), chunk("b"))
    transport = ScriptedTransport(cut, is_async=mode.is_async)
    plugin = Caching()

    async def body() -> None:
        async with mode.client(**client_of(mode, transport, plugin)) as client:
            accepting = client.with_options(on_truncation="accept")
            one = await mode.create(accepting, **STREAMED)
            two = await mode.create(client, **STREAMED)
            assert (await mode.completion(one)).text == "ab"
            with pytest.raises(StreamTruncatedError):
                await mode.completion(two)

    mode.run(body)
    assert len(transport.requests) == 2


@pytest.mark.parametrize("end", [(), (Cut(),), (DONE,)], ids=["end", "cut", "done"])
@pytest.mark.parametrize("asked", [{"n": 2}, {"extra_body": {"n": 2}}], ids=["n", "extra"])
def test_fewer_choices_than_asked_for_are_not_kept(mode: Mode, asked: Any, end: Any):
    cut = stream(chunk("a"), STOP, *end)
    talk = Talk(mode, cut, plugins=[Caching(policy="all")])
    talk.all({**STREAMED, **asked}, {**STREAMED, **asked})
    assert talk.sent == 2


def test_no_text_passes_for_the_digest_of_another():
    long = "QUJD" * 1000
    (digest,) = list(msgspec.json.decode(canonical({"x": [long]}))["x"])
    assert canonical({"x": [digest]}) != canonical({"x": [long]})
    assert canonical({"x": ["\0" + "a"]}) != canonical({"x": ["a"]})
    assert canonical({"x": ["\0" + "a"]}) != canonical({"x": ["\0\0" + "a"]})


@pytest.mark.parametrize(
    ("one", "two", "same"),
    [
        ({"x": -0.0}, {"x": 0}, True),
        ({"x": 1e22}, {"x": 10**22}, True),
        ({"x": 2.0**53}, {"x": 2**53 + 1}, False),
        ({"x": False}, {"x": 0}, False),
        ({"x": None}, {}, False),
        ({"x": "é"}, {"x": "e\u0301"}, False),
        ({"x": "1"}, {"x": 1}, False),
        (
            {"tools": [{"function": {"parameters": {"properties": {"cache_control": {}}}}}]},
            {"tools": [{"function": {"parameters": {"properties": {}}}}]},
            False,
        ),
        (
            {"messages": [{"role": "user", "content": [{"type": "text", "text": "a"}] * 2}]},
            {"messages": [{"role": "user", "content": "aa"}]},
            False,
        ),
        (
            {"messages": [{"role": "assistant", "content": None}]},
            {"messages": [{"role": "assistant", "content": ""}]},
            False,
        ),
    ],
    ids=str,
)
def test_what_is_the_same(one: Any, two: Any, same: bool):
    assert (canonical(one) == canonical(two)) is same


def test_an_endless_ttl_is_for_ever(mode: Mode):
    given: list[Any] = []

    class Noting(MemoryStore):
        async def set(self, runtime: Any, key: str, value: bytes, ttl: float | None) -> None:
            given.append(ttl)

    Talk(mode, OK, plugins=[Caching(store=Noting(), secret=b"x", ttl=float("inf"))]).one(**CALL)
    assert given == [None]


@pytest.mark.parametrize("seconds", [50, 70])
def test_an_answer_that_somebody_is_slow_to_read_grows_old(mode: Mode, seconds: int):
    clock = Clock()
    plugin = Caching(ttl=60, clock=clock)
    timeout = Timeout(total=None)
    talk = Talk(mode, OK_STREAM, plugins=[plugin], timeout=timeout)

    async def body() -> None:
        async with talk.client() as client:
            client._core.runtime.now = clock
            slow = await mode.create(client, **STREAMED)
            early = await mode.create(client, **STREAMED)
            for _ in range(3):
                await anext(mode.iterate(early))
            with contextlib.suppress(StopAsyncIteration):
                (flight,) = plugin._flights._flying.values()
                if mode.is_async:
                    await asyncio.sleep(0.01)
                else:  # what a task would have done
                    drive(flight._pull("somebody"))
                    drive(flight._pull("somebody"))
            await mode.close(early)
            clock.now += seconds
            late = await talk.ask(client, **CALL)
            assert late.note("caching")["result"] == ("coalesced" if seconds < 60 else "miss")
            await mode.completion(slow)
            clock.now += 59
            again = await talk.ask(client, **CALL)
            assert again.note("caching")["result"] == ("miss" if seconds < 60 else "hit")

    mode.run(body)
    assert talk.transport.open_responses == 0


ONE_OF_TWO = {**CALL, "n": 2}


@pytest.mark.parametrize(
    ("end", "leads"),
    [
        (chunk(finish_reason="content_filter"), CALL),
        (chunk(finish_reason="length"), CALL),
        (chunk(refusal="no", finish_reason="stop"), CALL),
        (STOP, ONE_OF_TWO),
        (STOP, {**CALL, **options(no_store=True)}),
    ],
    ids=["filtered", "length", "refused", "one of two", "no_store"],
)
def test_what_may_not_be_kept_is_not_served_while_somebody_reads_it(mode: Mode, end, leads):
    plugin = Caching(policy="all")
    talk = Talk(mode, stream(chunk("a"), chunk("b"), end, DONE), OK, plugins=[plugin])

    async def body() -> None:
        async with talk.client() as client:
            slow = await mode.create(client, **leads, stream=True)
            (flight,) = plugin._flights._flying.values()
            while not flight._over:
                if mode.is_async:
                    await asyncio.sleep(0.001)
                else:  # what a task would have done
                    drive(flight._pull("somebody"))
            late = await talk.ask(client, **{**leads, "plugin_options": {}})
            assert late.text == "hi there"
            assert late.note("caching")["result"] == "miss"
            await mode.close(slow)

    mode.run(body)
    assert talk.sent == 2
    assert talk.transport.open_responses == 0


# Other callers' limits


def test_a_leaders_shorter_limits_are_its_own(mode: Mode):
    transport = ScriptedTransport(
        stream(chunk("a"), Stall()), reply(completion("anew")), is_async=mode.is_async
    )
    plugin = Caching()

    async def body() -> None:
        async with mode.client(**client_of(mode, transport, plugin)) as client:
            hasty = client.with_options(timeout=Timeout(idle=0.5))
            leader = await mode.create(hasty, **STREAMED)
            # It has had nothing yet, although something has come.
            follower = await ask(mode, client, **CALL)
            assert follower.text == "anew"
            with pytest.raises(APITimeoutError):
                await mode.completion(leader)

    mode.run(body)
    assert transport.open_responses == 0


def test_a_limit_without_end(mode: Mode):
    gate = threading.Event()
    transport = ScriptedTransport(stream(Wait(gate), chunk("a"), STOP), is_async=mode.is_async)
    timeout = Timeout(total=None)
    given = client_of(mode, transport, Caching(), timeout=timeout)
    texts: list[Any] = []
    if not mode.is_async:
        with Orq(**given) as client:

            def read() -> None:
                texts.append(client.router.chat.completions.create(**CALL).text)

            threads = [threading.Thread(target=read, daemon=True) for _ in range(3)]
            for thread in threads:
                thread.start()
            time.sleep(0.05)
            gate.set()
            for thread in threads:
                thread.join(PATIENCE)
    else:

        async def body() -> None:
            async with AsyncOrq(**given) as client:
                create = client.router.chat.completions.create
                tasks = [asyncio.create_task(create(**CALL)) for _ in range(3)]
                await asyncio.sleep(0.05)
                gate.set()
                texts.extend([each.text for each in await asyncio.gather(*tasks)])

        mode.run(body)
    assert texts == ["a"] * 3


# Leaving


@pytest.mark.parametrize("read", [0, 1, 2, 3])
@pytest.mark.parametrize("way", ["close", "drop"])
def test_nothing_stays_of_a_stream_that_is_left(mode: Mode, read: int, way: str):
    talk = Talk(mode, OK_STREAM, plugins=[Caching()])

    async def body() -> None:
        async with talk.client() as client:
            gc.disable()
            try:
                opened = await mode.create(client, **STREAMED)
                for _ in range(read):
                    await anext(mode.iterate(opened))
                if way == "close":
                    await mode.close(opened)
                with dropping() if way == "drop" else contextlib.nullcontext():
                    del opened
                    if mode.is_async and way == "drop":
                        await asyncio.sleep(0.01)
                assert talk.transport.open_responses == 0
                assert not mode.is_async or len(asyncio.all_tasks()) == 1
            finally:
                gc.enable()

    mode.run(body)


def test_a_flight_is_no_garbage(mode: Mode):
    talk = Talk(mode, OK, reply({"error": {"message": "down"}}, status=500), plugins=[Caching()])
    plugin = talk.arguments["plugins"][0]
    flights: list[Any] = []
    start = plugin._flights._start

    def noting(*args: Any) -> Any:
        flight = start(*args)
        flights.append(weakref.ref(flight))
        return flight

    plugin._flights._start = noting
    gc.collect()
    gc.disable()
    try:
        talk.all(CALL, {**CALL, "seed": 1})
        assert len(flights) == 2
        # The last failure's traceback is the caller's; asyncio keeps it in a cycle of its own.
        assert [each() for each in flights[:1]] == [None]
    finally:
        gc.enable()


@pytest.mark.parametrize("read", [0, 1, 2])
def test_a_loop_that_ends_in_the_middle(read: int):
    """Tasks and streams are left as they are: nothing stays open."""
    gate = threading.Event()
    parts = [chunk("a"), chunk("b"), Wait(gate), chunk("c")]
    transport = ScriptedTransport(stream(*parts, STOP, DONE), is_async=True)
    plugin = Caching()
    kept: list[Any] = []

    async def body() -> None:
        client = AsyncOrq(**client_of(Mode("async"), transport, plugin))
        create = client.router.chat.completions.create
        opened = await create(**STREAMED)
        kept.append((client, opened))
        for _ in range(read):
            await anext(opened)
        kept.extend([asyncio.create_task(create(**CALL)) for _ in range(3)])
        await asyncio.sleep(0.01)

    asyncio.run(body())
    gate.set()
    assert transport.open_responses == 0
    assert plugin._flights._flying == {}
    with dropping():
        kept.clear()
        gc.collect()


@pytest.mark.skipif(not hasattr(asyncio, "eager_task_factory"), reason="from Python 3.12 on")
def test_tasks_that_begin_at_once():
    transport = ScriptedTransport(stream(*LARGE, STOP, DONE), is_async=True)

    async def body() -> None:
        asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)
        plugin = Caching(max_entry_bytes=2000)
        async with AsyncOrq(**client_of(Mode("async"), transport, plugin)) as client:
            create = client.router.chat.completions.create
            async with asyncio.timeout(PATIENCE):
                await asyncio.gather(*[create(**CALL) for _ in range(4)])
                streams = await asyncio.gather(*[create(**STREAMED) for _ in range(4)])
            for each in streams:
                await each.aclose()
            opened = await create(**STREAMED)
            await opened.aclose()
            assert transport.open_responses == 0
            assert plugin._flights._flying == {}

    asyncio.run(body())


def test_a_task_cancelled_before_it_runs():
    gate = threading.Event()
    transport = ScriptedTransport(stream(Wait(gate), chunk("a"), STOP, DONE), is_async=True)
    plugin = Caching()

    async def body() -> None:
        async with AsyncOrq(**client_of(Mode("async"), transport, plugin)) as client:
            create = client.router.chat.completions.create
            for pauses in range(6):
                calls = [asyncio.create_task(create(**CALL)) for _ in range(2)]
                for _ in range(pauses):
                    await asyncio.sleep(0)
                for call in calls:
                    call.cancel()
                await asyncio.gather(*calls, return_exceptions=True)
                assert plugin._flights._flying == {}
                assert transport.open_responses == 0
            gate.set()
            assert (await create(**CALL)).text == "a"

    asyncio.run(body())


@pytest.mark.parametrize("delay", [None, 0, 0.01])
def test_who_pulls_is_cancelled_from_outside(monkeypatch: pytest.MonkeyPatch, delay: Any):
    """Whoever cancels all other tasks still gets an answer, by asking anew."""
    gate = threading.Event()
    transport = ScriptedTransport(stream(Wait(gate), chunk("a"), STOP, DONE), is_async=True)
    announced = Flight._announced

    def cancelling(flight: Any, *, pulls: bool) -> Any:
        waiter = announced(flight, pulls=pulls)

        def cancel() -> None:
            flight._task.cancel()
            gate.set()

        if not gate.is_set():
            if delay is None:
                cancel()
            else:
                asyncio.get_running_loop().call_later(delay, cancel)
        return waiter

    monkeypatch.setattr(Flight, "_announced", cancelling)

    async def body() -> str:
        async with AsyncOrq(**client_of(Mode("async"), transport, Caching())) as client:
            return (await client.router.chat.completions.create(**CALL)).text

    assert asyncio.run(body()) == "a"
    assert transport.open_responses == 0


def test_an_interrupt_of_who_pulls_leaves_nobody_hanging():
    transport = ScriptedTransport(stream(chunk("a"), chunk("b"), STOP, DONE))
    plugin = Caching()
    interrupted: list[int] = []

    def interrupt(item: Any) -> None:
        if not interrupted:
            interrupted.append(1)
            raise KeyboardInterrupt

    with Orq(**client_of(Mode("sync"), transport, plugin, changing(interrupt))) as client:
        with pytest.raises(KeyboardInterrupt):
            client.router.chat.completions.create(**CALL)
        assert client.router.chat.completions.create(**CALL).text == "ab"
    assert transport.open_responses == 0


# Threads


def test_every_answer_belongs_to_its_question():
    def answer(http: Any) -> Any:
        asked = msgspec.json.decode(http.body)["messages"][0]["content"]
        time.sleep(0)
        if b'"stream":true' in http.body:
            return stream(chunk(f"{asked} "), chunk("answered"), STOP, DONE)
        return reply(completion(f"{asked} answered"))

    class Forgetful(MemoryStore):
        """Keeps nothing, so that requests fly all the time."""

        async def set(self, runtime: Any, key: str, value: bytes, ttl: float | None) -> None:
            if key == "orq-secret":
                await super().set(runtime, key, value, ttl)

    transport = ScriptedTransport(answer)
    plugin = Caching(store=Forgetful())
    wrong: list[Any] = []

    def work(number: int) -> None:
        try:
            for at in range(60):
                asked = f"question {(number + at) % 3}"
                given = {**CALL, "messages": [{"role": "user", "content": asked}]}
                if (at + number) % 5 == 0:
                    opened = client.router.chat.completions.create(**given, stream=True)
                    next(opened)
                    opened.close()
                elif at % 2:
                    text = client.router.chat.completions.create(**given).text
                    assert text == f"{asked} answered", text
                else:
                    opened = client.router.chat.completions.create(**given, stream=True)
                    text = opened.completion().text
                    assert text == f"{asked} answered", text
        except BaseException as error:
            wrong.append(error)

    with Orq(**client_of(Mode("sync"), transport, plugin)) as client:
        in_threads(*[lambda number=number: work(number) for number in range(32)])
    assert wrong == []
    assert transport.open_responses == 0
    assert plugin._flights._flying == {}


def test_all_who_ask_at_once_ask_once():
    """Also those who look just before an answer is stored, and ask just after."""
    transport = ScriptedTransport(lambda http: reply(completion("x")))
    plugin = Caching()
    barrier = threading.Barrier(16)

    def work() -> None:
        for seed in range(40):
            barrier.wait(PATIENCE)
            assert client.router.chat.completions.create(**CALL, seed=seed).text == "x"

    with Orq(**client_of(Mode("sync"), transport, plugin)) as client:
        in_threads(*[work] * 16)
    assert len(transport.requests) == 40


def test_several_loops_share_a_plugin():
    plugin = Caching()
    texts: list[str] = []

    def work() -> None:
        transport = ScriptedTransport(OK_STREAM, is_async=True)

        async def body() -> None:
            async with AsyncOrq(**client_of(Mode("async"), transport, plugin)) as client:
                create = client.router.chat.completions.create
                for seed in range(10):
                    answers = [create(**CALL, seed=seed) for _ in range(8)]
                    texts.extend([each.text for each in await asyncio.gather(*answers)])

        asyncio.run(body())

    in_threads(*[work] * 4)
    assert texts == ["hi there"] * 320
    assert plugin._flights._flying == {}


def test_a_waiting_thread_gets_its_item_although_another_is_waited_for():
    """An item that came between asking and waiting must not wait for the next one."""
    plugin = Caching()
    gate = threading.Event()
    transport = ScriptedTransport(stream(chunk("a"), chunk("b"), Wait(gate), STOP, DONE))
    with Orq(**client_of(Mode("sync"), transport, plugin)) as client:
        slow = client.router.chat.completions.create(**STREAMED)
        fast = client.router.chat.completions.create(**STREAMED)
        (flight,) = plugin._flights._flying.values()
        assert [next(slow).text, next(fast).text] == ["a", "a"]
        asked = threading.Event()
        acquire = flight._changed

        class Slow:
            """Lets others in between two steps of one thread, as it leaves or begins to wait."""

            def __enter__(self) -> None:
                acquire.acquire()

            def __exit__(self, *_: object) -> None:
                acquire.release()
                self._pause()

            def wait(self, left: float | None) -> None:
                if threading.current_thread() is reader:
                    asked.set()
                acquire.wait(left)

            def _pause(self) -> None:
                if threading.current_thread() is reader and not asked.is_set():
                    asked.set()
                    time.sleep(0.05)

            def __getattr__(self, name: str) -> Any:
                return getattr(acquire, name)

        got: list[str] = []
        flight._changed = flight._lock = Slow()
        flight._puller = "somebody"
        reader = threading.Thread(target=lambda: got.append(next(fast).text), daemon=True)
        reader.start()
        until(asked.is_set)
        flight._puller = ""
        puller = threading.Thread(target=lambda: list(slow), daemon=True)
        puller.start()
        try:
            until(lambda: got == ["b"])
        finally:
            gate.set()
            reader.join(PATIENCE)
            puller.join(PATIENCE)
            fast.close()


# Locks


def test_a_stream_dropped_by_the_collector_within_a_lock(tmp_path: Any):
    """Collection may run anywhere, and ends calls: no lock may be waited for by its holder."""
    store = SQLiteStore(tmp_path / "a.sqlite3")
    plugin = Caching(store=store)
    transport = ScriptedTransport(OK_STREAM)
    with Orq(**client_of(Mode("sync"), transport, plugin)) as client:

        def within(lock: Any) -> None:
            streams = [client.router.chat.completions.create(**STREAMED)]
            with lock, dropping():
                streams.clear()

        in_threads(lambda: within(plugin._flights._lock))
        in_threads(lambda: within(store._lock))
        assert transport.open_responses == 0
        assert plugin._flights._flying == {}


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_fork_while_another_thread_is_at_work(tmp_path: Any):
    """The child has neither that thread nor any use for its locks."""
    sqlite, memory = SQLiteStore(tmp_path / "a.sqlite3"), MemoryStore()
    plugins = [Caching(store=store, secret=b"x") for store in (sqlite, memory)]
    locks = [sqlite._lock, memory._lock, *(plugin._flights._lock for plugin in plugins)]
    held, done = threading.Event(), threading.Event()

    def hold() -> None:
        with contextlib.ExitStack() as stack:
            for lock in locks:
                stack.enter_context(lock)
            held.set()
            done.wait(PATIENCE)

    holder = threading.Thread(target=hold, daemon=True)
    holder.start()
    held.wait(PATIENCE)
    child = os.fork()
    if child == 0:
        status = 1
        try:
            for plugin in plugins:
                with Orq(**client_of(Mode("sync"), ScriptedTransport(OK), plugin)) as client:
                    client.router.chat.completions.create(**CALL)
            status = 0
        finally:
            os._exit(status)
    latest = time.monotonic() + 5
    status = 0
    while time.monotonic() < latest:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            break
        time.sleep(0.01)
    else:
        os.kill(child, 9)
        os.waitpid(child, 0)
        pytest.fail("the child hangs")
    done.set()
    holder.join(PATIENCE)
    assert os.waitstatus_to_exitcode(status) == 0


# SQLite


class Wrapped:
    """A connection whose statements can be interfered with."""

    def __init__(self, connection: sqlite3.Connection, before: Any = None, after: Any = None):
        self._connection = connection
        self._before, self._after = before, after

    def execute(self, statement: str, *args: Any) -> Any:
        if self._before is not None:
            self._before(statement)
        result = self._connection.execute(statement, *args)
        if self._after is not None:
            self._after(statement)
        return result

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("statement", ["BEGIN", "DELETE", "COMMIT"])
@pytest.mark.parametrize("error", [KeyboardInterrupt, sqlite3.OperationalError])
def test_a_write_that_is_stopped_holds_nobody_up(tmp_path: Any, when: str, statement: str, error):
    store = SQLiteStore(tmp_path / "a.sqlite3")
    other = SQLiteStore(tmp_path / "a.sqlite3")
    runtime = Blocking()
    drive(store.set(runtime, "a", b"old", None))

    def stop(given: str) -> None:
        if given.startswith(statement):
            raise error("stopped")

    real = store._opened
    store._opened = Wrapped(real, **{when: stop})  # type: ignore[assignment]
    with contextlib.suppress(error):
        drive(store.set(runtime, "a", b"new", None))
    store._opened = real
    drive(other.set(runtime, "b", b"other", None))
    drive(store.set(runtime, "c", b"after", None))
    assert drive(store.get(runtime, "c")) == b"after"
    assert drive(store.get(runtime, "a")) in {b"old", b"new"}
    for each in (store, other):
        drive(each.close(runtime))


def test_the_log_of_a_file_shrinks(tmp_path: Any):
    store = SQLiteStore(tmp_path / "a.sqlite3")
    runtime = Blocking()
    drive(store.set(runtime, "large", bytes(30 * 2**20), None))
    for number in range(3):
        drive(store.set(runtime, f"small{number}", bytes(5000), None))
    assert (tmp_path / "a.sqlite3-wal").stat().st_size < 20 * 2**20
    drive(store.close(runtime))


def test_closing_while_other_threads_use_it(tmp_path: Any):
    store = SQLiteStore(tmp_path / "a.sqlite3", busy_timeout=10, max_bytes=200_000)
    runtime = Blocking()
    failures: list[BaseException] = []

    def work(name: str) -> None:
        try:
            for number in range(60):
                drive(store.set(runtime, f"{name}{number}", name.encode() * 9000, None))
                found = drive(store.get(runtime, f"{name}{number}"))
                assert found in {None, name.encode() * 9000}
        except BaseException as error:
            failures.append(error)

    def close() -> None:
        for _ in range(40):
            drive(store.close(runtime))
            time.sleep(0.001)

    in_threads(*[lambda name=name: work(name) for name in "abcd"], close)
    assert failures == []
    connection = store._connection()
    kept = connection.execute("SELECT sum(length(key) + length(value)) FROM answers").fetchone()[0]
    assert kept == connection.execute("SELECT bytes FROM total").fetchone()[0] <= 200_000
    drive(store.close(runtime))


def test_a_hit_is_the_same_for_all(mode: Mode):
    """Followers and hits have the leader's answer to the letter, and no attempts of their own."""
    gate = threading.Event()
    gate.set()
    transport = ScriptedTransport(
        stream(chunk("a"), Wait(gate), chunk("b"), STOP, DONE), is_async=mode.is_async
    )

    async def body() -> None:
        async with mode.client(**client_of(mode, transport, Caching())) as client:
            leader = await mode.create(client, **STREAMED)
            follower = await mode.create(client, **STREAMED)
            whole = [await mode.completion(each) for each in (leader, follower)]
            hit = await mode.create(client, **CALL)
            assert to_dict(whole[0]) == to_dict(whole[1]) == to_dict(hit)
            assert [len(each.info.attempts) for each in (leader, follower, hit)] == [1, 0, 0]
            results = [each.info.notes["caching"]["result"] for each in (leader, follower, hit)]
            assert results == ["miss", "coalesced", "hit"]

    mode.run(body)
