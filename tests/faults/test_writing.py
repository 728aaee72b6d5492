"""Writing a request has its own limit, not what connecting may take."""

from __future__ import annotations

import time
from typing import Any

from orq_core import Timeout
from orq_core.testing import Mode
from tests.faults.scripts import good
from tests.raw_server import Connection, RawServer

LARGE = [{"role": "user", "content": "x" * 20_000_000}]


def busy(connection: Connection) -> None:
    """Answer, and let the next request wait."""
    connection.keep = True  # type: ignore[attr-defined]
    good(connection)
    time.sleep(1)


def test_a_large_request_on_a_kept_connection(mode: Mode) -> None:
    async def body() -> None:
        given: dict[str, Any] = {"server_url": server.url, "discover": False}
        async with mode.client(**given, timeout=Timeout(connect=0.3, first_event=10)) as client:
            for messages in (LARGE[:0], LARGE):
                answer = await mode.create(client, model="fake/model", messages=messages)
                assert answer.text == "hello"

    with RawServer(busy) as server:
        mode.run(body)
        assert server.connections == 1
