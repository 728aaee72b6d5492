"""Whichever way a call is left: nothing stays open, nothing grows, nobody gets another's answer."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import itertools
import random
import sys
import time
from collections.abc import Callable, Coroutine, Generator
from typing import Any

import pytest

from orq_core import APITimeoutError, AsyncOrq, Orq, Timeout
from orq_core.testing import Mode
from orq_plugins import Caching
from tests.faults.nonces import (
    DROPPED,
    STACKS,
    arguments,
    asked,
    asking,
    descriptors,
    fail_in,
    forget,
    nothing_left,
    objects,
    read,
    resident,
    run,
    serve,
    text_of,
)
from tests.raw_server import RawServer


async def leave(mode: Mode, client: Any, way: str, after: int) -> None:
    """Leave a stream that would go on, after some events were read; of many, each came alone."""
    apart = 0.002 if after > 4 else 0
    plan = asking(f"left-{way}-{after}", events=9, hold=after + 1, apart=apart)
    made = mode.create(client, stream=True, **plan)
    stream = await (asyncio.ensure_future(made) if way == "drop of a task" else made)
    del made
    # The step that woke this one holds the task's result until it ends.
    await client.runtime.sleep(0)
    if way == "cancel":
        task = asyncio.ensure_future(read(mode, stream, 9))
        await asyncio.sleep(0.02)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return
    await read(mode, stream, after)
    if way == "close":
        await mode.close(stream)
    elif way.startswith("drop"):
        with pytest.warns(ResourceWarning, match=DROPPED):
            del stream
    else:
        error = {"exception": ZeroDivisionError, "interrupt": KeyboardInterrupt}[way]
        with pytest.raises(error):
            await fail_in(mode, stream, error)


WAYS = [
    *[("sync", way) for way in ("close", "drop", "exception", "interrupt")],
    *[("async", way) for way in ("close", "drop", "drop of a task", "exception", "cancel")],
]


@pytest.mark.parametrize("stack", STACKS)
@pytest.mark.parametrize(("name", "way"), WAYS)
def test_a_stream_that_is_left_lets_its_connection_go_at_once(
    name: str, way: str, stack: str
) -> None:
    mode = Mode(name)

    async def body() -> None:
        async with mode.client(**arguments(server, stack)) as client:
            for after in range(7):
                server.left.clear()
                gc.disable()
                try:
                    await leave(mode, client, way, after)
                    await client.runtime.sleep(0)
                    assert await client.runtime.run(server.left.wait, 2)
                finally:
                    gc.enable()
                await asked(mode, client, f"next-{after}")

    with RawServer(serve) as server, nothing_left(server):
        run(mode, body)


class CancelledAt:
    """Steps a coroutine, and has its task cancelled at one of its waits."""

    def __init__(self, coroutine: Coroutine[Any, Any, Any], at: int) -> None:
        self.coroutine = coroutine
        self.at = at
        self.waits = 0

    def __await__(self) -> Generator[Any, Any, Any]:
        task = asyncio.current_task()
        assert task is not None
        steps = self.coroutine.__await__()
        send: Callable[[], Any] = lambda: next(steps)  # noqa: E731
        while True:
            try:
                waits_for = send()
            except StopIteration as stop:
                return stop.value
            if self.waits == self.at:
                task.cancel()
            self.waits += 1
            try:
                sent = yield waits_for
                send = lambda sent=sent: steps.send(sent)  # noqa: E731
            except BaseException as error:
                send = lambda error=error: steps.throw(error)  # noqa: E731


async def whole(client: Any, nonce: str, stream: bool, pause: float = 0.0005) -> str:
    answer = await client.router.chat.completions.create(
        stream=stream, **asking(nonce, pause=pause)
    )
    if not stream:
        return str(answer.text)
    async with answer:
        return "".join([each.text async for each in answer])


async def cancelled(client: Any, nonce: str, stream: bool, at: int) -> bool:
    """Cancel a call at one of its waits; False once it has no such wait."""

    async def body() -> str:
        return await CancelledAt(whole(client, nonce, stream), at)  # type: ignore[no-any-return]

    try:
        assert await asyncio.create_task(body()) == text_of(nonce)
    except asyncio.CancelledError:
        return True
    return False


@pytest.mark.parametrize("stack", STACKS)
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("warm", [False, True])
def test_a_call_may_be_cancelled_at_every_wait(stream: bool, stack: str, warm: bool) -> None:
    mode = Mode("async")
    counted = []

    async def body() -> None:
        for at in itertools.count():
            async with mode.client(**arguments(server, stack)) as client:
                if warm:
                    await asked(mode, client, "first")
                going_on = await cancelled(client, f"cancelled-{at}", stream, at)
                await asked(mode, client, f"next-{at}")
                counted.append(at)
                if not going_on:
                    return

    with RawServer(serve) as server, nothing_left(server):
        run(mode, body)
    assert len(counted) > 2


async def one_of_many(mode: Mode, client: Any, number: int) -> None:
    """Make a quick call and end it in one of the ways there are."""
    nonce = f"n{number}"
    way = number % 5
    if way < 2:
        await asked(mode, client, nonce)
        return
    stream = await mode.create(
        client, stream=True, **asking(nonce, **({"hold": 2} if way == 3 else {}))
    )
    if way == 2:
        assert (await mode.completion(stream)).text == text_of(nonce)
    elif way == 3:
        await read(mode, stream, 2)
        await mode.close(stream)
    else:
        await read(mode, stream, 1)
        with pytest.raises(ZeroDivisionError):
            await fail_in(mode, stream, ZeroDivisionError)


@pytest.mark.parametrize("stack", STACKS)
def test_nothing_grows_in_a_thousand_calls(
    mode: Mode, stack: str, record_property: Callable[[str, object], None]
) -> None:
    given: dict[str, Any] = {}

    async def body() -> None:
        async with mode.client(**given) as client:
            for number in range(200):
                await one_of_many(mode, client, number)
            before = await measured(client)
            for number in range(200, 1200):
                await one_of_many(mode, client, number)
            after = await measured(client)
        figures.extend([before, after])

    async def measured(client: Any) -> tuple[int, int, int]:
        await client.runtime.sleep(0.05)
        forget(server)
        return descriptors(), objects(), resident()

    figures: list[tuple[int, int, int]] = []
    with RawServer(serve) as server, nothing_left(server):
        given = arguments(server, stack)
        if stack == "four":
            # A cache is there to grow, up to its bound; every prompt here is a new one.
            given["plugins"] = [each for each in given["plugins"] if not isinstance(each, Caching)]
        began = time.monotonic()
        run(mode, body)
        seconds = time.monotonic() - began
    before, after = figures
    record_property("descriptors, objects, resident bytes", (before, after))
    print(f"\n1,000 calls, {mode.name}, {stack}: {seconds:.1f} s, {before} -> {after}")
    assert after[0] <= before[0] + 2
    if sys.gettrace() is None:  # a tracer keeps something of each thread
        assert after[1] <= before[1] + 100
    assert after[2] <= before[2] + 4 * 2**20


async def abandoned(client: Any, number: int, chance: random.Random) -> None:
    """Begin a call that answers slowly, and cancel it somewhere."""
    stream = chance.random() < 0.5
    made = asyncio.create_task(whole(client, f"abandoned-{number}", stream, pause=0.002))
    await asyncio.sleep(chance.uniform(0, 0.015))
    made.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        assert await made == text_of(f"abandoned-{number}")


def overdue(client: Any, number: int, chance: random.Random) -> None:
    """Make a call that answers slowly, with a deadline that comes somewhere."""
    nonce = f"overdue-{number}"
    given = {"timeout_ms": chance.randint(1, 15), **asking(nonce, pause=0.002)}
    try:
        if chance.random() < 0.5:
            assert client.router.chat.completions.create(**given).text == text_of(nonce)
            return
        with client.router.chat.completions.create(stream=True, **given) as answer:
            for _ in range(chance.randint(0, 4)):
                next(answer, None)
    except APITimeoutError:
        pass


@pytest.mark.slow
def test_a_call_that_was_left_leaves_nothing_for_the_next(mode: Mode) -> None:
    """One connection only, so that each call gets what the one before it has left."""
    chance = random.Random(20)

    async def body() -> None:
        async with mode.client(**arguments(server), max_connections=1) as client:
            for number in range(1000):
                if mode.is_async:
                    await abandoned(client, number, chance)
                else:
                    overdue(client, number, chance)
                await asked(mode, client, f"next-{number}")

    with RawServer(serve) as server, nothing_left(server):
        run(mode, body)
        # Some were left in the middle, which costs the connection; some were not.
        assert 100 < server.connections < 1000


def test_a_full_pool_is_waited_for_and_then_times_out(mode: Mode) -> None:
    async def body() -> None:
        given = {**arguments(server), "timeout": Timeout(connect=0.2), "max_connections": 2}
        async with mode.client(**given) as client:
            held = [
                await mode.create(client, stream=True, **asking(f"held-{each}", events=2, hold=1))
                for each in range(2)
            ]
            with pytest.raises(APITimeoutError) as caught:
                await asked(mode, client, "too many")
            assert caught.value.kind == "connect"
            await mode.close(held.pop())
            await asked(mode, client, "one is free")
            await mode.close(held.pop())

    with RawServer(serve) as server, nothing_left(server):
        run(mode, body)
        assert len(server.requests) == 3


def test_a_dropped_stream_says_where_it_was_made() -> None:
    with RawServer(serve) as server, nothing_left(server), Orq(**arguments(server)) as client:
        made = client.router.chat.completions.create
        stream = made(stream=True, **asking("dropped", hold=1))
        line = made_at()
        with pytest.warns(ResourceWarning, match=rf"{DROPPED}.*made at .*{line}$"):
            del stream


def test_a_dropped_client_says_where_it_was_made(mode: Mode) -> None:
    async def body() -> None:
        client = (AsyncOrq if mode.is_async else Orq)(**arguments(server))
        line = made_at()
        await asked(mode, client, "an answer")
        with pytest.warns(ResourceWarning) as caught:
            del client
            gc.collect()
        said = [str(each.message) for each in caught]
        assert any("a client was dropped" in each and each.endswith(line) for each in said), said

    with RawServer(serve) as server, nothing_left(server):
        mode.run(body)


def made_at() -> str:
    """Return the place of the line before the caller's."""
    frame = sys._getframe(1)
    return f"{frame.f_code.co_filename}:{frame.f_lineno - 1}"
