"""Streams that end where they should not, or without saying so."""

from __future__ import annotations

import time

from orq_core import (
    APIConnectionError,
    CallOptions,
    ResponseDecodeError,
    StreamError,
    StreamInterruptedError,
    StreamTruncatedError,
)
from orq_core.testing import DONE, chunk, event
from tests.faults.scripts import OK
from tests.faults.table import STREAM, Expect, Row, Script, sends, streams
from tests.raw_server import Connection, chunked, head

HEAD = head("Content-Type: text/event-stream", "Transfer-Encoding: chunked")
LENGTH = head("Content-Type: text/event-stream", "Content-Length: 900")
PLAIN = head("Content-Type: text/event-stream", "Connection: close")
ROLE = event(chunk("", role="assistant"))
HEL, LO = event(chunk("hel")), event(chunk("lo"))
STOP = event(chunk(finish_reason="stop"))
SPOKEN = event(chunk("é")).replace(b"\\u00e9", "é".encode())
ALL = HEL + LO + STOP + DONE
TRUNCATED = Expect(StreamTruncatedError, text="hel")
INTERRUPTED = Expect(StreamInterruptedError, text="hel")
TRUNCATED_OR_BROKEN = Expect((StreamInterruptedError, StreamTruncatedError), text="hel")
CUT_LATE = Expect((StreamInterruptedError, StreamTruncatedError, ResponseDecodeError), text="hello")
ROLE_ONLY = Expect(StreamInterruptedError, text="")
# Before the first event nothing was handed out, so create fails as one that got no answer.
NOTHING = Expect((StreamError, APIConnectionError), text="")


def cut(*pieces: bytes, reset: bool = False) -> Script:
    """Send, then close or reset the connection."""

    def script(connection: Connection) -> None:
        sends(*pieces)(connection)
        if reset:
            # What is on its way must arrive before the reset does.
            time.sleep(0.03)
            connection.reset()

    return script


def row(name: str, serve: Script, expect: Expect, **given: object) -> Row:
    return Row(name, serve, expect, STREAM, **given)  # type: ignore[arg-type]


ROWS = [
    row("cut between events", cut(HEAD + chunked(HEL)), INTERRUPTED),
    row("cut between events, by the last chunk", streams(HEL), TRUNCATED),
    row("cut between events, without framing", cut(PLAIN + HEL), TRUNCATED),
    row("reset between events", cut(HEAD + chunked(HEL), reset=True), INTERRUPTED),
    row(
        "reset between events, without framing",
        cut(PLAIN + HEL, reset=True),
        # Without framing a reset looks like the end to asyncio's transports.
        Expect((StreamInterruptedError, StreamTruncatedError), text="hel"),
    ),
    row("cut inside an event", cut(HEAD + chunked(HEL + LO[:30])), INTERRUPTED),
    row("cut inside an event, by the last chunk", streams(HEL + LO[:30]), TRUNCATED),
    row("cut inside an event, without framing", cut(PLAIN + HEL + LO[:30]), TRUNCATED),
    row("reset inside an event", cut(HEAD + chunked(HEL + LO[:30]), reset=True), INTERRUPTED),
    row("cut inside a field's name", cut(PLAIN + HEL + b"da"), TRUNCATED),
    row(
        "cut inside a character",
        streams(HEL + SPOKEN.split(b"\xa9")[0]),
        TRUNCATED,
    ),
    row("cut inside a chunk's size", cut(HEAD + chunked(HEL) + b"4"), INTERRUPTED),
    row("cut after a chunk's size", cut(HEAD + chunked(HEL) + b"40\r\n"), INTERRUPTED),
    row("cut inside a chunk", cut(HEAD + chunked(HEL) + b"40\r\ndata: {"), INTERRUPTED),
    row("reset inside a chunk's size", cut(HEAD + chunked(HEL) + b"4", reset=True), INTERRUPTED),
    row(
        "reset inside a chunk", cut(HEAD + chunked(HEL) + b"40\r\ndata: {", reset=True), INTERRUPTED
    ),
    row("reset after the role", cut(HEAD + chunked(ROLE), reset=True), ROLE_ONLY),
    row("cut after the role, by FIN", cut(HEAD + chunked(ROLE)), ROLE_ONLY),
    row(
        "reset inside a character",
        cut(HEAD + chunked(HEL + SPOKEN.split(b"\xa9")[0]), reset=True),
        INTERRUPTED,
    ),
    row("cut inside [DONE]", streams(HEL, LO, b"data: [DO"), CUT_LATE),
    row("reset inside [DONE]", cut(HEAD + chunked(HEL + LO + b"data: [DO"), reset=True), CUT_LATE),
    row("cut inside the [DONE] of a whole answer", streams(HEL, LO, STOP, b"data: [DO"), OK),
    row("cut within its length", cut(LENGTH + HEL), INTERRUPTED),
    row("reset within its length", cut(LENGTH + HEL, reset=True), INTERRUPTED),
    row("cut in the last chunk", cut(HEAD + chunked(HEL) + b"0\r\n"), TRUNCATED_OR_BROKEN),
    row("cut before a chunk's end", cut(HEAD + chunked(HEL)[:-2]), INTERRUPTED),
    row("cut after the role", streams(ROLE), Expect(StreamTruncatedError, text="")),
    row("cut after the head", cut(HEAD), NOTHING),
    row("cut after the head, by the last chunk", streams(), NOTHING),
    row("cut after a comment", streams(b": hello\n\n"), NOTHING),
    row("reset after the head", cut(HEAD, reset=True), NOTHING),
    row("only [DONE]", streams(DONE), Expect(text="")),
    row("[DONE] without an end", streams(HEL, LO, DONE), OK),
    row("an end without [DONE]", streams(HEL, LO, STOP), OK),
    row("an end without [DONE], then cut", cut(HEAD + chunked(HEL + LO + STOP)), OK),
    row("[DONE] without its line end", streams(HEL, LO, STOP, b"data: [DONE]"), OK),
    row("the last event without its blank line", streams(HEL, LO, STOP.rstrip(b"\n")), OK),
    row("reset after [DONE]", cut(HEAD + chunked(ALL), reset=True), OK),
    row(
        "one of two choices unfinished",
        streams(HEL, LO, event(chunk("x", index=1)), STOP),
        Expect(StreamTruncatedError),
        call={"n": 2},
    ),
    row(
        "usage after the end", streams(HEL, LO, STOP, event({"choices": [], "usage": {}}), DONE), OK
    ),
    row(
        "truncated, and accepted",
        streams(HEL),
        Expect(text="hel"),
        call={"options": CallOptions(on_truncation="accept")},
    ),
]
