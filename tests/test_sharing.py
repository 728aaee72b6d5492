"""One client object, many users: threads, event loops one after the other, a forked child."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from collections.abc import AsyncGenerator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any

import pytest

from orq_core import AsyncOrq, Orq, Stream, StreamInterruptedError
from orq_core.testing import (
    DONE,
    LocalRouter,
    Mode,
    Raise,
    ScriptedTransport,
    Wait,
    chunk,
    event,
    stream,
)

THREADS = 16
CALLS = 8


def asked(nonce: str) -> dict[str, Any]:
    return {"model": "fake/echo", "messages": [{"role": "user", "content": nonce}]}


def test_sixteen_threads_each_get_their_own_answer(orq_router: LocalRouter) -> None:
    with Orq(server_url=orq_router.url) as client:

        def work(thread: int) -> None:
            for number in range(CALLS):
                nonce = f"nonce-{thread}-{number}"
                stream = client.router.chat.completions.create(stream=True, **asked(nonce))
                assert stream.completion().text == nonce
                assert client.router.chat.completions.create(**asked(nonce)).text == nonce

        with ThreadPoolExecutor(THREADS) as pool:
            list(pool.map(work, range(THREADS)))
    assert len(orq_router.requests) == THREADS * CALLS * 2


def test_two_event_loops_one_after_the_other(orq_router: LocalRouter) -> None:
    client = AsyncOrq(server_url=orq_router.url)

    async def work(nonce: str) -> list[str]:
        create = client.router.chat.completions.create
        streams = await asyncio.gather(
            *(create(stream=True, **asked(f"{nonce}-{number}")) for number in range(CALLS)),
        )
        return [(await stream.completion()).text for stream in streams]

    async def last() -> None:
        assert await work("last") == [f"last-{number}" for number in range(CALLS)]
        await client.aclose()

    assert asyncio.run(work("one")) == [f"one-{number}" for number in range(CALLS)]
    assert asyncio.run(work("two")) == [f"two-{number}" for number in range(CALLS)]
    asyncio.run(last())


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform has no fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_shares_no_connection(orq_router: LocalRouter) -> None:
    with Orq(server_url=orq_router.url) as client:
        create = client.router.chat.completions.create
        assert create(**asked("parent-before")).text == "parent-before"
        open_stream = create(stream=True, **asked("parent stream of several words"))
        first = next(open_stream).text
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            code = 1
            try:
                os.write(writer, create(**asked("child")).text.encode())
                code = 0
            finally:
                os._exit(code)
        os.close(writer)
        rest = "".join(open_stream.text_deltas())
        assert first + rest == "parent stream of several words"
        assert create(**asked("parent-after")).text == "parent-after"
        with os.fdopen(reader) as pipe:
            assert pipe.read() == "child"
        assert os.waitpid(child, 0)[1] == 0


# Chunks that are alike come in runs, which are added up together; the role ends a run.
RUN = b"".join(event(chunk(f"{number},")) for number in range(20))
RUNS = [RUN, event(chunk("y", role="assistant"))] * 100
TEXT = ("".join(f"{number}," for number in range(20)) + "y") * 100


@pytest.fixture
def _hurried() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def long_stream(client: Orq) -> Stream:
    return client.router.chat.completions.create(stream=True, **asked("long"))


def answering() -> ScriptedTransport:
    return ScriptedTransport(stream(*RUNS, chunk(finish_reason="stop"), DONE))


def watched(answer: Stream, read: threading.Event, seen: list[str]) -> None:
    while not read.is_set():
        seen.append(answer.partial.text)


@pytest.mark.usefixtures("_hurried")
def test_a_stream_is_looked_at_while_another_thread_reads_it() -> None:
    for _ in range(10):
        with (
            Orq(transport=answering(), api_key="fake", discover=False) as client,
            long_stream(client) as answer,
        ):
            read, seen = threading.Event(), list[str]()
            watcher = threading.Thread(target=watched, args=(answer, read, seen))
            watcher.start()
            text = "".join(each.text for each in answer)
            read.set()
            watcher.join()
            assert text == TEXT
            assert answer.partial.text == TEXT
            assert all(TEXT.startswith(each) for each in seen)


@pytest.mark.usefixtures("_hurried")
def test_a_stream_that_another_thread_closes_has_what_was_read() -> None:
    interrupted = 0
    for number in range(30):
        with Orq(transport=answering(), api_key="fake", discover=False) as client:
            answer = long_stream(client)
            closing = threading.Timer(number / 3000, answer.close)
            closing.start()
            text = ""
            try:
                for each in answer:
                    text += each.text
            except StreamInterruptedError as error:
                assert error.partial is not None
                assert error.partial.text == text
                interrupted += 1
            closing.join()
            assert answer.partial.text == text
    assert interrupted


def test_no_stream_ends_as_if_whole_where_somebody_else_closes_it(mode: Mode) -> None:
    async def body() -> None:
        async with two_chunks(mode) as answer:
            await pulled(mode, answer)
            await elsewhere(mode, answer)
            with pytest.raises(StreamInterruptedError, match="another thread or task"):
                await pulled(mode, answer)

    mode.run(body)


def test_the_reader_may_close_its_own_stream(mode: Mode) -> None:
    async def body() -> None:
        async with two_chunks(mode) as answer:
            seen = []
            async for each in mode.iterate(answer):
                seen.append(each.text)
                await mode.close(answer)
            assert seen == ["a"]
            with pytest.raises(StreamInterruptedError, match="before its end") as caught:
                await mode.completion(answer)
            assert caught.value.partial is not None
            assert caught.value.partial.text == "a"

    mode.run(body)


def test_the_reader_may_close_a_stream_that_somebody_else_asked_for(mode: Mode) -> None:
    async def body() -> None:
        transport = ScriptedTransport(TWO_CHUNKS.chunked_at(), is_async=mode.is_async)
        arguments = {"transport": transport, "api_key": "fake", "discover": False}
        async with mode.client(**arguments) as client:
            if mode.is_async:
                asking = mode.create(client, stream=True, **asked("handed on"))
                answer = await asyncio.create_task(asking)
            else:
                with ThreadPoolExecutor(1) as pool:
                    create = client.router.chat.completions.create
                    answer = pool.submit(create, stream=True, **asked("handed on")).result()
            seen = []
            async for each in mode.iterate(answer):
                seen.append(each.text)
                await mode.close(answer)
            assert seen == ["a"]

    mode.run(body)


class Gone(BaseException):
    """What ends a wait from the outside, as Ctrl-C does."""


def test_a_stream_whose_wait_was_cancelled_does_not_end_as_if_whole(mode: Mode) -> None:
    async def body() -> None:
        never = threading.Event()
        step = Wait(never) if mode.is_async else Raise(Gone())
        transport = ScriptedTransport(stream(chunk("a"), step), is_async=mode.is_async)
        arguments = {"transport": transport, "api_key": "fake", "discover": False}
        async with mode.client(**arguments) as client:
            answer = await mode.create(client, stream=True, **asked("cancelled"))
            assert (await pulled(mode, answer)).text == "a"
            if mode.is_async:
                with pytest.raises(asyncio.TimeoutError):
                    await asyncio.wait_for(pulled(mode, answer), 0.05)
            else:
                with pytest.raises(Gone):
                    await pulled(mode, answer)
            for _ in range(2):
                with pytest.raises(StreamInterruptedError, match="was cancelled") as caught:
                    await pulled(mode, answer)
                assert caught.value.partial is not None
                assert caught.value.partial.text == "a"

    mode.run(body)


TWO_CHUNKS = stream(chunk("a"), chunk("b", finish_reason="stop"), DONE)


@asynccontextmanager
async def two_chunks(mode: Mode) -> AsyncGenerator[Any, None]:
    """Open a stream of two chunks on a client of its own."""
    transport = ScriptedTransport(TWO_CHUNKS, is_async=mode.is_async)
    async with mode.client(transport=transport, api_key="fake", discover=False) as client:
        yield await mode.create(client, stream=True, **asked("closed"))


async def pulled(mode: Mode, answer: Any) -> Any:
    return await anext(answer) if mode.is_async else next(answer)


async def elsewhere(mode: Mode, answer: Any) -> None:
    """Close a stream in another thread or task."""
    if mode.is_async:
        await asyncio.create_task(answer.aclose())
    else:
        closing = threading.Thread(target=answer.close)
        closing.start()
        closing.join()
