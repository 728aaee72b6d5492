"""Whichever way a call is left: nothing stays open, nothing grows, nobody gets another's answer."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import itertools
import socket
import sys
import threading
import time
from collections.abc import Callable, Coroutine, Generator, Iterator
from typing import Any

import pytest

import orq_core
from orq_core import Timeout
from orq_core.testing import Mode
from orq_plugins import Caching, Logging, Redaction, Retries
from tests.faults.nonces import (
    asking,
    descriptors,
    forget,
    objects,
    resident,
    serve,
    settled,
    text_of,
)
from tests.raw_server import RawServer

STACKS = ("bare", "four")
LIMITS = Timeout(connect=5, first_event=5, idle=5, total=10)
DROPPED = "a stream was dropped"


def arguments(server: RawServer, stack: str = "bare") -> dict[str, Any]:
    plugins: list[Any] = []
    if stack == "four":
        plugins = [Redaction(), Logging(), Caching(policy="all"), Retries(policy=0)]
    return {
        "server_url": server.url,
        "timeout": LIMITS,
        "plugins": plugins,
        "discover": False,
        "api_key": "fake-key-1234567890",
    }


async def asked(mode: Mode, client: Any, nonce: str, **plan: Any) -> None:
    """Make an ordinary call and see that the answer is its own."""
    answer = await mode.create(client, **asking(nonce, **plan))
    assert answer.text == text_of(nonce)


async def read(mode: Mode, stream: Any, events: int) -> None:
    for _ in range(events):
        _ = await stream.__anext__() if mode.is_async else next(stream)


async def leave(mode: Mode, client: Any, way: str, after: int) -> None:
    """Leave a stream that would go on, after some events were read."""
    plan = asking(f"left-{way}-{after}", events=9, hold=after + 1)
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


async def fail_in(mode: Mode, stream: Any, error: type[BaseException]) -> None:
    if mode.is_async:
        async with stream:
            raise error
    with stream:
        raise error


WAYS = [
    *[("sync", way) for way in ("close", "drop", "exception", "interrupt")],
    *[("async", way) for way in ("close", "drop", "drop of a task", "exception", "cancel")],
]


@contextlib.contextmanager
def nothing_left(server: RawServer) -> Iterator[None]:
    gc.collect()
    before = descriptors()
    yield
    gc.collect()
    assert settled(descriptors, before) <= before
    forget(server)


def run(mode: Mode, body: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run a body, at whose end there may be no other task."""

    async def watched() -> None:
        await body()
        if mode.is_async:
            await asyncio.sleep(0)
            assert asyncio.all_tasks() == {asyncio.current_task()}

    mode.run(watched)


@pytest.mark.parametrize("stack", STACKS)
@pytest.mark.parametrize(("name", "way"), WAYS)
def test_a_stream_that_is_left_lets_its_connection_go_at_once(
    name: str, way: str, stack: str
) -> None:
    mode = Mode(name)

    async def body() -> None:
        async with mode.client(**arguments(server, stack)) as client:
            for after in range(5):
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


async def whole(client: Any, nonce: str, stream: bool) -> str:
    answer = await client.router.chat.completions.create(
        stream=stream, **asking(nonce, pause=0.0005)
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


class Interrupts:
    """Raises KeyboardInterrupt before or after one of this thread's socket operations."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.at = -1
        self.after = False
        self.seen = 0
        self._thread = threading.get_ident()
        for name in ("recv_into", "sendall", "connect_ex", "settimeout", "getsockopt"):
            monkeypatch.setattr(socket.socket, name, self._wrapped(name), raising=False)

    def arm(self, at: int, *, after: bool) -> None:
        self.at, self.after, self.seen = at, after, 0

    def _wrapped(self, name: str) -> Any:
        original = getattr(socket.socket, name)

        def operation(sock: socket.socket, *given: Any) -> Any:
            if threading.get_ident() != self._thread or self.at < 0:
                return original(sock, *given)
            self.seen += 1
            due = self.seen == self.at + 1
            if due and not self.after:
                raise KeyboardInterrupt
            result = original(sock, *given)
            if due:
                raise KeyboardInterrupt
            return result

        return operation


def read_whole(client: Any, nonce: str, stream: bool) -> str:
    answer = client.router.chat.completions.create(stream=stream, **asking(nonce))
    if not stream:
        return str(answer.text)
    with answer:
        return "".join(each.text for each in answer)


@pytest.mark.parametrize("stack", STACKS)
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("after", [False, True])
def test_ctrl_c_at_every_operation_of_a_socket(
    stream: bool, stack: str, after: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupts = Interrupts(monkeypatch)
    with RawServer(serve) as server, nothing_left(server):
        for at in itertools.count():
            with orq_core.Orq(**arguments(server, stack)) as client:
                interrupts.arm(at, after=after)
                try:
                    assert read_whole(client, f"stopped-{at}", stream) == text_of(f"stopped-{at}")
                    going_on = False
                except KeyboardInterrupt:
                    going_on = True
                interrupts.arm(-1, after=after)
                assert read_whole(client, f"next-{at}", stream=False) == text_of(f"next-{at}")
                if not going_on:
                    break
        assert at > 3


OURS = orq_core.__path__[0]


@contextlib.contextmanager
def interrupted_at(line: int) -> Iterator[list[int]]:
    """Raise KeyboardInterrupt before the n-th line of this library that runs."""
    seen = [0]

    def trace(frame: Any, what: str, _: Any) -> Any:
        if not frame.f_code.co_filename.startswith(OURS):
            return None
        if what == "line":
            seen[0] += 1
            if seen[0] == line:
                raise KeyboardInterrupt
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        yield seen
    finally:
        sys.settrace(before)


@pytest.mark.slow
@pytest.mark.parametrize("stream", [False, True])
# Between two lines a socket may have no owner yet, so the collector closes it, and says so.
@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_ctrl_c_between_any_two_lines(stream: bool) -> None:
    with RawServer(serve) as server, nothing_left(server):
        for at in itertools.count(1, 5):
            with orq_core.Orq(**arguments(server)) as client:
                read_whole(client, "first", stream=True)
                with interrupted_at(at) as seen, contextlib.suppress(KeyboardInterrupt):
                    read_whole(client, f"stopped-{at}", stream)
                assert read_whole(client, f"next-{at}", stream=False) == text_of(f"next-{at}")
                if seen[0] < at:
                    break


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
    assert after[1] <= before[1] + 100
    assert after[2] <= before[2] + 4 * 2**20
