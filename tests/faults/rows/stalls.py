"""Answers that stall or go on for ever, and which limit ends them when."""

from __future__ import annotations

import time

from orq_core import APITimeoutError, RateLimitError, Timeout
from orq_core.testing import DONE, chunk, event
from tests.faults.scripts import BODY, EVENTS, LENGTH, OK, TYPE, limits
from tests.faults.table import BOTH, JSON, STREAM, Expect, Kind, Row, Script, sends
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
        within=LIMIT * 2 + 0.3,
    )


def stall_the_error(connection: Connection) -> None:
    connection.send(head(TYPE, "Content-Length: 99", status="429 x"))
    connection.wait_for_client()


def unread(connection: Connection) -> bool:
    """Let nothing of the request in."""
    connection.server.left.wait(2)
    return False


LARGE = {"messages": [{"role": "user", "content": "x" * 10_000_000}]}
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
    # Between events
    ended("a stall after an event", held(HEAD + chunked(HEL)), "idle", "hel", idle=LIMIT),
    ended(
        "a stall inside an event", held(HEAD + chunked(HEL + LO[:20])), "idle", "hel", idle=LIMIT
    ),
    ended(
        "a stall inside a chunk", held(HEAD + chunked(HEL) + b"40\r\nda"), "idle", "hel", idle=LIMIT
    ),
    ended(
        "a stall inside a chunk's size", held(HEAD + chunked(HEL) + b"4"), "idle", "hel", idle=LIMIT
    ),
    ended("a stall, within total", held(HEAD + chunked(HEL)), "total", "hel", total=LIMIT),
    ended(
        "an event byte by byte",
        repeated(HEAD + chunked(HEL), chunked(b"x")),
        "idle",
        "hel",
        idle=LIMIT,
    ),
    ended(
        "an event byte by byte, within total",
        repeated(HEAD + chunked(HEL), chunked(b"x")),
        "total",
        "hel",
        total=LIMIT,
        idle=None,
    ),
    ended(
        "comments after an event for ever",
        repeated(HEAD + chunked(HEL), COMMENT),
        "idle",
        "hel",
        idle=LIMIT,
    ),
    ended(
        "comments for ever, within total, when idle may be as long as it likes",
        repeated(HEAD + chunked(HEL), COMMENT),
        "total",
        "hel",
        total=LIMIT,
        idle=None,
    ),
    ended(
        "comments without a pause",
        repeated(HEAD + chunked(HEL), COMMENT * 50, 0.0),
        "idle",
        "hel",
        idle=LIMIT,
    ),
    Row(
        "events for ever, within total",
        repeated(HEAD, chunked(HEL)),
        Expect(APITimeoutError, kind="total"),
        STREAM,
        timeout=limits(total=LIMIT),
        after=LIMIT * 0.97,
        within=LIMIT * 2 + 0.3,
    ),
    Row(
        "pauses shorter than idle, and longer together",
        held(HEAD, *(chunked(each) for each in (HEL, LO, STOP)), chunked(DONE), pause=0.12),
        OK,
        STREAM,
        timeout=limits(idle=LIMIT),
    ),
    Row(
        "held open after [DONE]",
        held(HEAD + chunked(EVENTS)),
        OK,
        timeout=limits(idle=2, first_event=2),
        within=1.0,
    ),
    Row(
        "held open after a whole answer",
        held(JSON_HEAD + BODY),
        OK,
        timeout=limits(idle=2, first_event=2),
        within=1.0,
    ),
    Row(
        "comments for ever after [DONE]",
        repeated(HEAD + chunked(EVENTS), COMMENT),
        OK,
        timeout=limits(idle=2, first_event=2),
        within=1.0,
    ),
    Row(
        "held open after the end, without [DONE]",
        held(HEAD + chunked(HEL + LO + STOP)),
        Expect(APITimeoutError, text="hello", kind="idle", or_good=True),
        STREAM,
        timeout=limits(idle=LIMIT),
        within=1.2,
    ),
    # The request itself
    Row(
        "a large request that is not read",
        sends(),
        Expect(APITimeoutError),
        JSON,
        timeout=Timeout(total=LIMIT),
        call=LARGE,
        before=unread,
        after=LIMIT * 0.9,
        within=2.5,
    ),
    # Errors and repeats
    Row(
        "an error whose body stalls",
        stall_the_error,
        Expect(RateLimitError),
        timeout=limits(first_event=LIMIT, idle=LIMIT),
        within=1.2,
    ),
    Row(
        "total holds over all repeats",
        sends(head("Retry-After: 0", "Content-Length: 0", status="503 x")),
        Expect(Exception),
        timeout=limits(total=LIMIT),
        repeated=True,
        within=1.2,
    ),
    Row(
        "a Retry-After beyond total",
        sends(head("Retry-After: 60", "Content-Length: 0", status="429 x")),
        Expect(RateLimitError, attributes={"retry_after": 60.0}),
        timeout=limits(total=2),
        repeated=True,
        within=2.4,
    ),
    Row("no limits at all", sends(JSON_HEAD + BODY), OK, timeout=Timeout(None, None, None, None)),
]
