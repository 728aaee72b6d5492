"""What servers do while a call is being connected, and what must come of it."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable
from typing import Any

from orq_core import APIConnectionError, APITimeoutError, ConnectError, Timeout
from orq_core.testing import DONE, chunk, completion, event
from tests.faults.table import JSON, Expect, Row, Script, sends
from tests.raw_server import LAST_CHUNK, Connection, chunked, head

BODY = json.dumps(completion("hello")).encode()
EVENTS = event(chunk("hello", role="assistant")) + event(chunk(finish_reason="stop")) + DONE
LENGTH = f"Content-Length: {len(BODY)}"
TYPE = "Content-Type: application/json"
OK = Expect(text="hello")
# A request may have gone out, so it is no ConnectError: repeating it might ask twice.
BROKEN = Expect(APIConnectionError, attributes={"__class__": APIConnectionError})
UNMADE = Expect(ConnectError, says=r"could not connect to \S+:\d+")
# RFC 9112 lets a client choose; the wrong answer or none would be the fault.
OK_OR_BROKEN = Expect(APIConnectionError, text="hello", or_good=True)
ANY = Expect(APIConnectionError)
NO_CONNECTION = Expect(APITimeoutError, kind="connect")
TOO_LATE = Expect(APITimeoutError, kind="total")
NO_EVENT = Expect(APITimeoutError, kind="first_event")
SHORT = 0.15
LATE = 0.3  # seconds that a limit may be late by
IN_TIME = SHORT + LATE


def good(connection: Connection) -> None:
    """Answer as asked."""
    if b'"stream":true' in connection.request.replace(b" ", b""):
        connection.send(head("Content-Type: text/event-stream", "Transfer-Encoding: chunked"))
        connection.send(chunked(EVENTS) + LAST_CHUNK)
    else:
        connection.send(head(TYPE, LENGTH) + BODY)


def after(*pieces: bytes, pause: float = 0.0) -> Script:
    """Send something first, then answer as asked."""

    def script(connection: Connection) -> None:
        for piece in pieces:
            connection.send(piece)
            time.sleep(pause)
        good(connection)

    return script


def silent(*pieces: bytes) -> Script:
    """Send something, then nothing, and stay."""

    def script(connection: Connection) -> None:
        sends(*pieces)(connection)
        connection.wait_for_client()

    return script


def endless(piece: bytes, pause: float = 0.0) -> Script:
    """Send this until the client leaves."""

    def script(connection: Connection) -> None:
        while True:
            connection.send(piece)
            time.sleep(pause)

    return script


def first(action: Callable[[Connection], Any], *, goes_on: bool = False) -> Any:
    """Act before anything is read."""

    def before(connection: Connection) -> bool:
        with contextlib.suppress(OSError):
            action(connection)
        return goes_on

    return before


def hello_then(*pieces: bytes, pause: float = 0.0) -> Any:
    """Read the client's first words, then send pieces and stay until it leaves."""

    def action(connection: Connection) -> None:
        connection.sock.recv(65536)
        for piece in pieces:
            connection.send(piece)
            time.sleep(pause)
        connection.wait_for_client()

    return first(action)


def head_of(*lines: str, body: bytes = BODY, status: str = "200 OK") -> Script:
    return sends(head(*lines, status=status) + body)


def limits(**given: float) -> Timeout:
    return Timeout(**{"connect": 5, "first_event": 5, "idle": 5, "total": 10, **given})


def late(name: str, serve: Script, **given: Any) -> Row:
    """Make a row of which the first event never comes."""
    return Row(
        name,
        serve,
        given.pop("expect", NO_EVENT),
        kinds=given.pop("kinds", JSON),
        timeout=limits(first_event=SHORT),
        after=SHORT * 0.9,
        within=IN_TIME,
        **given,
    )


def unconnected(name: str, *, total: bool = False, **given: Any) -> Row:
    """Make a row of which the connection never stands, until connect or total ends it."""
    return Row(
        name,
        good,
        TOO_LATE if total else NO_CONNECTION,
        kinds=JSON,
        timeout=limits(**{"total" if total else "connect": SHORT}),
        after=SHORT * 0.9,
        within=IN_TIME,
        **given,
    )
