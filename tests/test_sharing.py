"""One client object, many users: threads, event loops one after the other, a forked child."""

from __future__ import annotations

import asyncio
import os
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from orq_core import AsyncOrq, Orq
from orq_core.testing import LocalRouter

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
