"""Closing a client closes what is idle, though somebody keeps an error of one of its calls."""

from __future__ import annotations

import pytest

from orq_core import ResponseDecodeError
from orq_core.testing import Mode
from tests.faults.nonces import settled
from tests.faults.table import answers
from tests.raw_server import Connection, RawServer


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
