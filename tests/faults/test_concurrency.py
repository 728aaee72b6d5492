"""Many callers at once: every answer carries a nonce, and each caller gets its own, whole."""

from __future__ import annotations

import asyncio
import os
import resource
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from orq_core import AsyncOrq, Orq, Timeout
from orq_core.testing import LocalRouter
from orq_plugins import Caching, Logging, Redaction, Retries

STREAMS = 2000
THREADS = 32
CALLS = 200
PATIENT = Timeout(connect=60, first_event=120, idle=60, total=300)

pytestmark = pytest.mark.slow


@pytest.fixture
def echo_server() -> Iterator[str]:
    """The local router in a process of its own, so that its work is not the test's."""
    command = [sys.executable, "-m", "orq_core", "serve", "--port", "0"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert server.stdout is not None
    line = server.stdout.readline()
    yield next(word for word in line.split() if word.startswith("http"))
    server.terminate()
    server.communicate(timeout=20)


def asked(nonce: str) -> dict[str, Any]:
    said = f"{nonce} is mine and nobody else's, from {nonce} on to {nonce}"
    return {"model": "fake/echo", "messages": [{"role": "user", "content": said}]}


def said(nonce: str) -> str:
    return asked(nonce)["messages"][0]["content"]


def four() -> list[Any]:
    return [Redaction(), Logging(), Caching(policy="all"), Retries()]


def status_of(child: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def descriptors_allowed() -> int:
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


@pytest.mark.skipif(descriptors_allowed() < STREAMS + 100, reason="too few descriptors allowed")
@pytest.mark.parametrize("plugins", [list, four], ids=["bare", "four"])
def test_two_thousand_streams_at_once(echo_server: str, plugins: Any):
    async def body() -> list[tuple[str, int]]:
        async with AsyncOrq(
            server_url=echo_server, timeout=PATIENT, plugins=plugins(), discover=False
        ) as client:
            opened = 0
            everyone = asyncio.Event()

            async def one(number: int) -> tuple[str, int]:
                nonlocal opened
                create = client.router.chat.completions.create
                stream = await create(**asked(f"nonce-{number}"), stream=True)
                opened += 1
                if opened == STREAMS:
                    everyone.set()
                # All of them stand open before any is read to its end.
                await everyone.wait()
                events = [event.text async for event in stream]
                return "".join(events), len(events)

            return await asyncio.gather(*map(one, range(STREAMS)))

    answers = asyncio.run(body())
    assert [text for text, _ in answers] == [said(f"nonce-{n}") for n in range(STREAMS)]
    if plugins is list:
        assert len({count for _, count in answers}) == 1


@pytest.mark.parametrize("plugins", [list, four], ids=["bare", "four"])
def test_threads_get_their_own_answers(echo_server: str, plugins: Any):
    with Orq(server_url=echo_server, timeout=PATIENT, plugins=plugins(), discover=False) as client:

        def work(thread: int) -> int:
            right = 0
            for number in range(CALLS):
                nonce = f"nonce-{thread}-{number}"
                create = client.router.chat.completions.create
                if number % 2:
                    text = create(**asked(nonce)).text
                else:
                    text = "".join(create(**asked(nonce), stream=True).text_deltas())
                right += text == said(nonce)
            return right

        with ThreadPoolExecutor(THREADS) as pool:
            assert list(pool.map(work, range(THREADS))) == [CALLS] * THREADS


def test_several_loops_share_a_client(echo_server: str):
    client = AsyncOrq(server_url=echo_server, timeout=PATIENT, plugins=four(), discover=False)
    failures: list[BaseException] = []

    async def work(loop: int) -> None:
        async def one(number: int) -> None:
            nonce = f"nonce-{loop}-{number}"
            stream = await client.router.chat.completions.create(**asked(nonce), stream=True)
            assert (await stream.completion()).text == said(nonce)

        await asyncio.gather(*map(one, range(50)))

    def run(loop: int) -> None:
        try:
            asyncio.run(work(loop))
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=run, args=(loop,)) for loop in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert failures == []
    asyncio.run(client.aclose())


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform has no fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
@pytest.mark.parametrize("plugins", [list, four], ids=["bare", "four"])
def test_forks_in_the_middle_of_streams(orq_router: LocalRouter, plugins: Any):
    with Orq(server_url=orq_router.url, plugins=plugins(), discover=False) as client:
        create = client.router.chat.completions.create
        for number in range(5):
            mine = f"parent-{number}"
            stream = create(**asked(mine), stream=True)
            text = next(stream).text
            child = os.fork()
            if child == 0:
                code = 1
                try:
                    code = (
                        0
                        if create(**asked(f"child-{number}")).text == said(f"child-{number}")
                        else 2
                    )
                finally:
                    os._exit(code)
            text += "".join(stream.text_deltas())
            assert text == said(mine)
            assert status_of(child) == 0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform has no fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_forks_in_the_middle_of_asynchronous_streams(orq_router: LocalRouter):
    client = AsyncOrq(server_url=orq_router.url, plugins=four(), discover=False)

    async def whole(nonce: str) -> str:
        return (await client.router.chat.completions.create(**asked(nonce))).text

    def child(nonce: str) -> int:
        """Ask on a loop of its own, which asyncio allows once the parent's is out of sight."""
        asyncio._set_running_loop(None)
        return 0 if asyncio.run(whole(nonce)) == said(nonce) else 2

    async def body() -> None:
        for number in range(5):
            mine = f"parent-{number}"
            stream = await client.router.chat.completions.create(**asked(mine), stream=True)
            text = (await stream.__anext__()).text
            pid = os.fork()
            if pid == 0:
                code = 1
                try:
                    code = child(f"child-{number}")
                finally:
                    os._exit(code)
            text += "".join([each async for each in stream.text_deltas()])
            assert text == said(mine)
            assert status_of(pid) == 0
        await client.aclose()

    asyncio.run(body())
