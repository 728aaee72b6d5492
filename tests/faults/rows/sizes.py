"""Streams that are large where nobody looks, and encodings of other kinds."""

from __future__ import annotations

import gzip
import zlib

from orq_core import APIConnectionError, ResponseDecodeError, StreamError
from orq_core.testing import DONE, chunk, event
from tests.faults.rows.events import HEL, LO, STOP, TOO_LARGE, TYPE, encoded
from tests.faults.scripts import BODY, EVENTS, OK
from tests.faults.table import JSON, STREAM, Expect, Row, Script, answers, streams
from tests.raw_server import Connection, chunked, head

PIECE = 2**20
LARGE = Expect(ResponseDecodeError, text="hel", says="large")
UNPACKED = Expect(
    (StreamError, APIConnectionError, ResponseDecodeError), text="hello", or_good=True
)


def flood(first: bytes, piece: bytes) -> Script:
    """Send the first event, then about 300 MB that make no event."""

    def script(connection: Connection) -> None:
        connection.send(head(TYPE, "Transfer-Encoding: chunked") + chunked(HEL + first))
        block = chunked(piece * (PIECE // len(piece)))
        for _ in range(300):
            connection.send(block)

    return script


def bomb(prefix: bytes, kind: str, wbits: int, name: str, rounds: int = 1) -> Script:
    """Send a gigabyte of one letter, packed once or twice."""

    def script(connection: Connection) -> None:
        packers = [zlib.compressobj(9, wbits=wbits) for _ in range(rounds)]

        def packed(data: bytes, *, flush: bool = False) -> bytes:
            for packer in packers:
                data = packer.compress(data)
                data += packer.flush(zlib.Z_SYNC_FLUSH) if flush else b""
            return data

        connection.send(
            head(f"Content-Type: {kind}", f"Content-Encoding: {name}", "Transfer-Encoding: chunked")
        )
        connection.send(chunked(packed(prefix, flush=True)))
        block = b"x" * 2**24
        for number in range(64):
            if data := packed(block, flush=number % 8 == 7):
                connection.send(chunked(data))

    return script


def raw(data: bytes) -> bytes:
    """Deflate without the header that RFC 9110 wants, as some servers do."""
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


ROWS = [
    # What is no event must not be kept either, or not without a bound
    Row("a comment without end", flood(b": ", b"x"), LARGE, STREAM, within=20),
    Row("data lines without a blank line", flood(b"", b"data: x\n"), LARGE, STREAM, within=60),
    Row("an id without end", flood(b"id: ", b"x"), LARGE, STREAM, within=20),
    Row("a field's name without end", flood(b"", b"x"), LARGE, STREAM, within=20),
    # A place that nobody can have in a list
    Row(
        "a choice with an index of 20 digits",
        streams(HEL, LO, STOP, event(chunk("x", index=10**20, finish_reason="stop")), DONE),
        Expect(),
    ),
    Row(
        "a tool call with an index of 20 digits",
        streams(
            HEL,
            LO,
            event({"choices": [{"index": 0, "delta": {"tool_calls": [{"index": 10**20}]}}]}),
            STOP,
            DONE,
        ),
        OK,
    ),
    # Encodings
    Row("a stream deflated without a header", encoded("deflate", raw(EVENTS)), OK),
    Row("JSON deflated without a header", answers(raw(BODY), "Content-Encoding: deflate"), OK),
    Row("gzip in capitals", encoded("GZIP", gzip.compress(EVENTS)), OK),
    Row("gzip by its old name", encoded("x-gzip", gzip.compress(EVENTS)), UNPACKED),
    Row("no encoding, said so", encoded("identity", EVENTS), OK),
    Row("gzipped twice", encoded("gzip, gzip", gzip.compress(gzip.compress(EVENTS))), UNPACKED),
    Row(
        "a deflate bomb of one event",
        bomb(HEL + b"data: ", "text/event-stream", 15, "deflate"),
        TOO_LARGE,
        STREAM,
        within=30,
    ),
    Row(
        "a deflate bomb of JSON",
        bomb(b'{"a":"', "application/json", 15, "deflate"),
        TOO_LARGE,
        JSON,
        within=30,
    ),
    Row(
        "a bomb within a bomb",
        bomb(HEL + b"data: ", "text/event-stream", 31, "gzip, gzip", 2),
        Expect((StreamError, APIConnectionError, ResponseDecodeError)),
        within=30,
    ),
]
