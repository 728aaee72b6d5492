"""Streams that stall or go on for ever, and time-outs over several attempts."""

from __future__ import annotations

import time

from orq_core import APITimeoutError, InternalServerError, RateLimitError, Timeout
from orq_core.testing import DONE, chunk, event
from tests.faults.rows.stalls import (
    COMMENT,
    HEAD,
    HEL,
    JSON_HEAD,
    LIMIT,
    LO,
    STOP,
    ended,
    held,
    repeated,
)
from tests.faults.scripts import BODY, EVENTS, LATE, OK, TOO_LATE, TYPE, limits
from tests.faults.table import JSON, STREAM, Expect, Row, Script, sends
from tests.raw_server import Connection, chunked, head


def stall_the_error(connection: Connection) -> None:
    connection.send(head(TYPE, "Content-Length: 99", status="429 x"))
    connection.wait_for_client()


def slow_error(connection: Connection) -> None:
    time.sleep(LIMIT)
    connection.send(head("Retry-After: 0", "Content-Length: 0", status="503 x"))


def error_then(serve: Script) -> Script:
    """Fail at first."""

    def script(connection: Connection) -> None:
        if len(connection.server.requests) == 1:
            connection.send(head("Retry-After: 0", "Content-Length: 0", status="503 x"))
        else:
            serve(connection)

    return script


def unread(connection: Connection) -> bool:
    """Let nothing of the request in."""
    connection.server.left.wait(2)
    return False


ROLE = event(chunk("", role="assistant"))
LARGE = {"messages": [{"role": "user", "content": "x" * 10_000_000}]}
ROWS = [
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
    ended("a stall after the role", held(HEAD + chunked(ROLE)), "idle", idle=LIMIT),
    ended(
        "a stall after three events",
        held(HEAD + chunked(HEL) + chunked(LO) + chunked(HEL)),
        "idle",
        "hellohel",
        idle=LIMIT,
    ),
    ended(
        "a stall inside [DONE]", held(HEAD + chunked(HEL + b"data: [DO")), "idle", "hel", idle=LIMIT
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
        TOO_LATE,
        STREAM,
        timeout=limits(total=LIMIT),
        after=LIMIT * 0.97,
        within=LIMIT + LATE,
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
        within=LIMIT + LATE,
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
        within=LIMIT + LATE,
    ),
    Row(
        "an error whose body stalls, within total",
        stall_the_error,
        Expect((RateLimitError, APITimeoutError)),
        timeout=limits(total=LIMIT),
        within=LIMIT + LATE,
    ),
    Row(
        # Three attempts would take half a second more.
        "total holds over all repeats",
        slow_error,
        Expect((InternalServerError, APITimeoutError)),
        timeout=limits(total=LIMIT),
        repeated=True,
        within=LIMIT + LATE,
    ),
    Row(
        "total holds inside the body of a repeat",
        error_then(repeated(HEAD, chunked(HEL))),
        Expect((InternalServerError, APITimeoutError)),
        STREAM,
        timeout=limits(total=LIMIT),
        repeated=True,
        within=LIMIT + LATE,
    ),
    Row(
        "total holds in a repeat that gets no answer",
        error_then(held()),
        Expect((InternalServerError, APITimeoutError)),
        timeout=limits(total=LIMIT),
        repeated=True,
        within=LIMIT + LATE,
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
