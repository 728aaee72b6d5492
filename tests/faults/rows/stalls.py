"""Answers that do not begin, or stall before their first event, and which limit ends them."""

from __future__ import annotations

import time

from orq_core import APITimeoutError
from orq_core.testing import chunk, event
from tests.faults.scripts import BODY, LATE, LENGTH, TYPE, limits
from tests.faults.table import BOTH, JSON, STREAM, Expect, Kind, Row, Script
from tests.raw_server import Connection, chunked, head

HEAD = head("Content-Type: text/event-stream", "Transfer-Encoding: chunked")
HEL, LO = event(chunk("hel")), event(chunk("lo"))
STOP = event(chunk(finish_reason="stop"))
LIMIT = 0.3


def held(*pieces: bytes, pause: float = 0.0) -> Script:
    """Send, and hold the connection open."""

    def script(connection: Connection) -> None:
        for piece in pieces:
            connection.send(piece)
            time.sleep(pause)
        connection.wait_for_client()

    return script


def repeated(first: bytes, piece: bytes, pause: float = 0.05) -> Script:
    """Send something, then the same again and again until the client leaves."""

    def script(connection: Connection) -> None:
        connection.send(first)
        while True:
            connection.send(piece)
            time.sleep(pause)

    return script


def ended(
    name: str,
    serve: Script,
    kind: str,
    text: str = "",
    kinds: tuple[Kind, ...] = STREAM,
    **timeout: float | None,
) -> Row:
    """Make a row that a limit of 0.3 s ends, which is the smallest one given."""
    return Row(
        name,
        serve,
        Expect(APITimeoutError, text=text, kind=kind, attributes={"seconds": LIMIT}),
        kinds,
        timeout=limits(**timeout),  # type: ignore[arg-type]
        after=LIMIT * 0.97,
        within=LIMIT + LATE,
    )


JSON_HEAD = head(TYPE, LENGTH)
COMMENT = chunked(b": still there\n\n")

ROWS = [
    # Before the first event
    ended("no head", held(), "first_event", kinds=BOTH, first_event=LIMIT),
    ended("no head, within total", held(), "total", kinds=BOTH, total=LIMIT),
    ended("half a head", held(HEAD[:20]), "first_event", kinds=BOTH, first_event=LIMIT),
    ended("a head and no event", held(HEAD), "first_event", first_event=LIMIT),
    ended("a head and no event, within total", held(HEAD), "total", total=LIMIT),
    ended("half a first event", held(HEAD + chunked(HEL[:20])), "first_event", first_event=LIMIT),
    ended(
        "comments before the first event for ever",
        repeated(HEAD, COMMENT),
        "first_event",
        first_event=LIMIT,
    ),
    ended(
        "pings before the first event for ever",
        repeated(HEAD, chunked(b"event: ping\ndata: {}\n\n")),
        "first_event",
        first_event=LIMIT,
    ),
    ended(
        "blank lines before the first event for ever",
        repeated(HEAD, chunked(b"\n")),
        "first_event",
        first_event=LIMIT,
    ),
    ended(
        "a first event byte by byte",
        repeated(HEAD, chunked(b"x")),
        "first_event",
        first_event=LIMIT,
    ),
    # Whole answers
    ended(
        "a body that stalls",
        held(JSON_HEAD + BODY[:20]),
        "first_event",
        kinds=JSON,
        first_event=LIMIT,
    ),
    ended(
        "a body that stalls, within total",
        held(JSON_HEAD + BODY[:20]),
        "total",
        kinds=JSON,
        total=LIMIT,
    ),
    ended(
        "a body that never begins", held(JSON_HEAD), "first_event", kinds=BOTH, first_event=LIMIT
    ),
    ended(
        "a body byte by byte",
        held(JSON_HEAD, *(BODY[at : at + 1] for at in range(30)), pause=0.05),
        "first_event",
        kinds=JSON,
        first_event=LIMIT,
    ),
    ended(
        "white space for ever",
        repeated(head(TYPE, "Transfer-Encoding: chunked"), chunked(b" \n")),
        "first_event",
        kinds=BOTH,
        first_event=LIMIT,
    ),
    ended(
        "white space for ever, within total",
        repeated(head(TYPE, "Transfer-Encoding: chunked"), chunked(b" \n")),
        "total",
        kinds=BOTH,
        total=LIMIT,
        first_event=None,
        idle=None,
    ),
]
