"""One request for all who ask the same at the same time."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Any

import pytest

from orq_core import AsyncOrq, InternalServerError, Orq, StreamInterruptedError, Timeout
from orq_core.testing import DONE, LocalRouter, Mode, Wait, chunk, completion, reply, stream
from orq_plugins.caching import Caching
from tests.plugins.talk import HELLO, KEY, Talk

CALLERS = 200
ASK: dict[str, Any] = {"model": "fake/model", "messages": HELLO, "temperature": 0}
WORDS = [f"{number} " for number in range(30)]
TEXT = "".join(WORDS)


def gated(gate: threading.Event, first: int = 3, rest: threading.Event | None = None) -> Any:
    """Answer in a stream that waits at a gate, and at another one after its first words."""
    head = [chunk(word) for word in WORDS[:first]]
    tail = [chunk(word) for word in WORDS[first:]]
    pause = () if rest is None else (Wait(rest),)
    return stream(Wait(gate), *head, *pause, *tail, chunk(finish_reason="stop"), DONE)


def until(condition: Any, seconds: float = 20) -> None:
    latest = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < latest
        time.sleep(0.002)


async def auntil(condition: Any) -> None:
    await asyncio.to_thread(until, condition)


def callers_of(plugin: Caching) -> int:
    return sum(len(flight._callers) for flight in tuple(plugin._flights._flying.values()))


def read(client: Orq, number: int) -> str:
    """Ask as a stream or not, by turns."""
    if number % 2:
        return client.router.chat.completions.create(**ASK).text
    return client.router.chat.completions.create(**ASK, stream=True).completion().text


async def aread(client: AsyncOrq, number: int) -> str:
    if number % 2:
        return (await client.router.chat.completions.create(**ASK)).text
    stream = await client.router.chat.completions.create(**ASK, stream=True)
    return (await stream.completion()).text


def test_threads_share_a_request(orq_router: LocalRouter):
    gate = threading.Event()
    orq_router.always(gated(gate))
    plugin = Caching()
    texts: list[str] = []
    with Orq(KEY, orq_router.url, plugins=[plugin], discover=False) as client:
        threads = [
            threading.Thread(target=lambda at=at: texts.append(read(client, at)))
            for at in range(CALLERS)
        ]
        for thread in threads:
            thread.start()
        until(lambda: callers_of(plugin) == CALLERS)
        gate.set()
        for thread in threads:
            thread.join(30)
    assert texts == [TEXT] * CALLERS
    assert len(orq_router.requests) == 1


def test_tasks_share_a_request(orq_router: LocalRouter):
    gate = threading.Event()
    orq_router.always(gated(gate))
    plugin = Caching()

    async def body() -> list[str]:
        async with AsyncOrq(KEY, orq_router.url, plugins=[plugin], discover=False) as client:
            tasks = [asyncio.create_task(aread(client, at)) for at in range(CALLERS)]
            await auntil(lambda: callers_of(plugin) >= CALLERS)
            gate.set()
            return await asyncio.gather(*tasks)

    assert asyncio.run(body()) == [TEXT] * CALLERS
    assert len(orq_router.requests) == 1


def test_the_leaders_cancellation_does_not_stop_the_followers(orq_router: LocalRouter):
    gate, rest = threading.Event(), threading.Event()
    orq_router.always(gated(gate, rest=rest))
    plugin = Caching()

    async def body() -> Any:
        async with AsyncOrq(KEY, orq_router.url, plugins=[plugin], discover=False) as client:
            leader = asyncio.create_task(aread(client, 0))
            await auntil(lambda: callers_of(plugin))
            followers = [asyncio.create_task(aread(client, at)) for at in range(1, 6)]
            await auntil(lambda: callers_of(plugin) >= 6)
            gate.set()
            (flight,) = plugin._flights._flying.values()
            await auntil(lambda: len(flight.recording) >= 3)
            leader.cancel()
            await auntil(lambda: callers_of(plugin) <= 5)
            rest.set()
            return await asyncio.gather(leader, *followers, return_exceptions=True)

    leader, *followers = asyncio.run(body())
    assert isinstance(leader, asyncio.CancelledError)
    assert followers == [TEXT] * 5
    assert len(orq_router.requests) == 1


def test_a_thread_that_leaves_hands_the_request_on(orq_router: LocalRouter):
    gate, rest = threading.Event(), threading.Event()
    orq_router.always(gated(gate, rest=rest))
    gate.set()
    plugin = Caching()
    texts: list[str] = []
    with Orq(KEY, orq_router.url, plugins=[plugin], discover=False) as client:
        leader = client.router.chat.completions.create(**ASK, stream=True)
        assert next(leader).text == "0 "
        late = threading.Thread(target=lambda: texts.append(read(client, 0)))
        late.start()
        until(lambda: callers_of(plugin) == 2)
        leader.close()
        rest.set()
        late.join(30)
    assert texts == [TEXT]
    assert len(orq_router.requests) == 1


def test_the_last_to_leave_closes_the_request(mode: Mode, orq_router: LocalRouter):
    gate = threading.Event()
    orq_router.always(gated(threading.Event(), rest=gate).chunked_at())
    ready, rest = threading.Event(), threading.Event()
    ready.set()
    orq_router.always(gated(ready, rest=rest))
    plugin = Caching()

    async def body() -> None:
        client = {"api_key": KEY, "server_url": orq_router.url, "plugins": [plugin]}
        async with mode.client(**client, discover=False) as opened:
            answer = await mode.create(opened, **ASK, stream=True)
            async for _ in mode.iterate(answer):
                break
            await mode.close(answer)
            if mode.is_async:
                await asyncio.sleep(0.05)
            assert not plugin._flights._flying

    mode.run(body)
    until(lambda: orq_router.disconnected == 1)
    rest.set()


def test_all_are_told_of_a_failure(orq_router: LocalRouter):
    gate = threading.Event()
    failing = reply({"error": {"message": "down"}}, status=500)
    orq_router.always(failing.__class__(500, failing.headers, (Wait(gate), *failing.steps)))
    plugin = Caching()

    async def body() -> list[Any]:
        async with AsyncOrq(KEY, orq_router.url, plugins=[plugin], discover=False) as client:
            tasks = [asyncio.create_task(aread(client, at)) for at in range(20)]
            await auntil(lambda: callers_of(plugin) >= 20)
            gate.set()
            return await asyncio.gather(*tasks, return_exceptions=True)

    errors = asyncio.run(body())
    assert {type(error) for error in errors} == {InternalServerError}
    assert len({id(error) for error in errors}) == 20
    assert len(orq_router.requests) == 1


def test_a_leaders_deadline_is_its_own(orq_router: LocalRouter):
    gate = threading.Event()
    orq_router.enqueue(gated(gate))
    orq_router.always(reply(completion("asked anew")))
    plugin = Caching()

    async def body() -> list[Any]:
        async with AsyncOrq(KEY, orq_router.url, plugins=[plugin], discover=False) as client:
            hasty = client.with_options(timeout=Timeout(total=0.2))
            leader = asyncio.create_task(aread(hasty, 0))
            await auntil(lambda: callers_of(plugin))
            follower = asyncio.create_task(aread(client, 1))
            return await asyncio.gather(leader, follower, return_exceptions=True)

    leader, follower = asyncio.run(body())
    gate.set()
    assert isinstance(leader, TimeoutError)
    assert follower == "asked anew"


def test_a_followers_deadline_holds(orq_router: LocalRouter):
    gate = threading.Event()
    orq_router.always(gated(gate))
    plugin = Caching()

    async def body() -> Any:
        async with AsyncOrq(KEY, orq_router.url, plugins=[plugin], discover=False) as client:
            leader = asyncio.create_task(aread(client, 0))
            await auntil(lambda: callers_of(plugin))
            hasty = client.with_options(timeout=Timeout(total=0.1))
            with pytest.raises(TimeoutError) as caught:
                await aread(hasty, 0)
            assert caught.value.kind == "total"
            gate.set()
            return await leader

    assert asyncio.run(body()) == TEXT


def test_a_threads_deadline_holds(orq_router: LocalRouter):
    gate = threading.Event()
    orq_router.always(gated(gate))
    plugin = Caching()
    texts: list[str] = []
    with Orq(KEY, orq_router.url, plugins=[plugin], discover=False) as client:
        leader = threading.Thread(target=lambda: texts.append(read(client, 0)))
        leader.start()
        until(lambda: callers_of(plugin) == 1)
        with pytest.raises(TimeoutError):
            read(client.with_options(timeout=Timeout(total=0.1)), 0)
        gate.set()
        leader.join(30)
    assert texts == [TEXT]


def test_an_interrupted_leader_leaves_its_followers_an_error():
    mode = Mode("sync")

    class Interrupts:
        def __init__(self) -> None:
            self.calls = 0

        from orq_core import hookimpl

        @hookimpl(trylast=True)
        def orq_wrap_create(self, call: Any) -> Any:
            async def around(call: Any, request: Any, proceed: Any) -> Any:
                async for item in proceed(request):
                    yield item
                    raise KeyboardInterrupt

            return around

    answers = stream(chunk("a"), chunk("b"), chunk(finish_reason="stop"), DONE)
    talk = Talk(mode, answers, plugins=[Caching(), Interrupts()])

    async def body() -> None:
        async with talk.client() as client:
            leader = await mode.create(client, **ASK, stream=True)
            follower = await mode.create(client, **ASK, stream=True)
            assert [next(leader).text, next(follower).text] == ["a", "a"]
            with pytest.raises(KeyboardInterrupt):
                next(leader)
            with pytest.raises(StreamInterruptedError):
                next(follower)

    mode.run(body)
    assert talk.sent == 1
    assert talk.transport.open_responses == 0


def test_a_large_answer_is_not_run_ahead_of(orq_router: LocalRouter):
    count = 3000
    parts = [chunk("x" * 50) for _ in range(count)]
    orq_router.always(stream(*parts, chunk(finish_reason="stop"), DONE))
    plugin = Caching(max_entry_bytes=2000)

    async def body() -> tuple[int, int]:
        async with AsyncOrq(KEY, orq_router.url, plugins=[plugin], discover=False) as client:
            answer = await client.router.chat.completions.create(**ASK, stream=True)
            await anext(answer)
            (flight,) = plugin._flights._flying.values()
            await asyncio.sleep(0.2)
            ahead = len(flight.recording)
            text = (await answer.completion()).text
            assert flight.recording._items[: count // 2] == [None] * (count // 2)
            return ahead, len(text)

    ahead, length = asyncio.run(body())
    assert ahead < 400
    assert length == count * 50
