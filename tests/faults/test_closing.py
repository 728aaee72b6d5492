"""Closing a client closes what is idle, and ends the calls that are under way."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Any

import pytest

from orq_core import APIConnectionError, AsyncOrq, Orq, ResponseDecodeError, Timeout
from orq_core.testing import LocalRouter, Mode, Reply, Stall, reply
from tests.faults.nonces import settled
from tests.faults.table import answers
from tests.raw_server import Connection, RawServer

ASKED: dict[str, Any] = {"model": "fake/model", "messages": [{"role": "user", "content": "hi"}]}
PATIENT = Timeout(connect=30, first_event=30, idle=30, total=30)
UNANSWERED = Reply(steps=(Stall(),))
BUSY = reply({"error": {"message": "busy"}}, status=503, headers={"Retry-After": "20"})


def unreadable(connection: Connection) -> None:
    connection.keep = True  # type: ignore[attr-defined]
    answers(b"hello")(connection)


def test_an_error_that_is_kept_holds_no_connection(mode: Mode) -> None:
    kept: list[ResponseDecodeError] = []

    async def body() -> None:
        async with mode.client(server_url=server.url, discover=False) as client:
            with pytest.raises(ResponseDecodeError) as caught:
                await mode.create(client, model="fake/model", messages=[])
            kept.append(caught.value)

    def still_open() -> int:
        return sum(each.fileno() >= 0 for each in server._sockets)

    with RawServer(unreadable) as server:
        mode.run(body)
        assert settled(still_open, 0) == 0
    assert kept


@pytest.mark.parametrize("streamed", [False, True], ids=["json", "stream"])
@pytest.mark.parametrize("answer", [UNANSWERED, BUSY], ids=["head", "pause"])
def test_closing_a_client_ends_the_calls_of_others(
    mode: Mode, orq_router: LocalRouter, answer: Reply, streamed: bool
) -> None:
    orq_router.enqueue(answer)

    async def body() -> None:
        kind: Any = AsyncOrq if mode.is_async else Orq
        client = kind(server_url=orq_router.url, timeout=PATIENT, retries=2)

        async def later() -> None:
            await asyncio.sleep(0.3)
            await client.aclose()

        timer = threading.Timer(0.3, client.close)
        closing = asyncio.create_task(later()) if mode.is_async else timer.start()
        began = time.monotonic()
        with pytest.raises(APIConnectionError, match="closed"):
            await mode.create(client, stream=streamed, **ASKED)
        assert time.monotonic() - began < 5
        await closing if closing else timer.join()

    mode.run(body)
    assert len(orq_router.requests) == 1
