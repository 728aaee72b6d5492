"""What is written in a stream: every grammar, every error, every size."""

from __future__ import annotations

import gzip
import json
import zlib
from typing import Any

from orq_core import APIConnectionError, APIStreamError, ResponseDecodeError, StreamError
from orq_core.testing import DONE, chunk, event
from tests.faults.scripts import EVENTS, OK
from tests.faults.table import BOTH, JSON, STREAM, Expect, Kind, Row, Script, sends, streams
from tests.raw_server import LAST_CHUNK, Connection, chunked, head

HEL, LO = event(chunk("hel")), event(chunk("lo"))
STOP = event(chunk(finish_reason="stop"))
TYPE = "Content-Type: text/event-stream"
ERROR = {"error": {"message": "out of luck", "type": "bad", "code": "luck"}}
REFUSED = Expect(APIStreamError, text="hel", says="out of luck")
UNREADABLE = Expect(ResponseDecodeError, text="hel")


def good(name: str, *pieces: bytes, text: str = "hello", kinds: tuple[Kind, ...] = BOTH) -> Row:
    return Row(name, streams(*pieces), Expect(text=text), kinds)


def bad(name: str, expect: Expect, *pieces: bytes) -> Row:
    return Row(name, streams(HEL, *pieces), expect, STREAM)


def lines(data: bytes, end: bytes) -> bytes:
    return data.replace(b"\n", end)


def said(content: str, **more: Any) -> bytes:
    """Write an event without escapes."""
    return f"data: {json.dumps(chunk(content, **more), ensure_ascii=False)}\n\n".encode()


def encoded(name: str, data: bytes) -> Script:
    return sends(head(TYPE, f"Content-Encoding: {name}", f"Content-Length: {len(data)}") + data)


def flushed(connection: Connection) -> None:
    """Compress each event on its own, as servers do that flush."""
    packer = zlib.compressobj(wbits=31)
    connection.send(head(TYPE, "Content-Encoding: gzip", "Transfer-Encoding: chunked"))
    for each in (HEL, LO, STOP, DONE):
        connection.send(chunked(packer.compress(each) + packer.flush(zlib.Z_SYNC_FLUSH)))
    connection.send(chunked(packer.flush()) + LAST_CHUNK)


def unlimited(connection: Connection) -> None:
    """Send one event that has no end, of 300 MB at most."""
    connection.send(head(TYPE, "Transfer-Encoding: chunked") + chunked(HEL + b"data: "))
    piece = chunked(b"x" * 2**20)
    for _ in range(300):
        connection.send(piece)


def bomb(prefix: bytes, kind: str, status: str = "200 OK") -> Script:
    """Send a gigabyte of one letter in a megabyte, after what makes it look good."""

    def script(connection: Connection) -> None:
        packer = zlib.compressobj(9, wbits=31)
        connection.send(
            head(
                f"Content-Type: {kind}",
                "Content-Encoding: gzip",
                "Transfer-Encoding: chunked",
                status=status,
            )
        )
        connection.send(chunked(packer.compress(prefix) + packer.flush(zlib.Z_SYNC_FLUSH)))
        block = b"x" * 2**24
        for _ in range(64):
            if data := packer.compress(block):
                connection.send(chunked(data))

    return script


TOO_LARGE = Expect((ResponseDecodeError, StreamError), says="large")

ROWS = [
    # Line ends and fields
    good("lines that end with CR LF", lines(EVENTS, b"\r\n")),
    good("lines that end with CR", lines(EVENTS, b"\r")),
    good("lines of all kinds", lines(HEL, b"\r\n"), lines(LO, b"\r"), STOP, DONE),
    good("CR LF cut in two", *(bytes([each]) for each in lines(EVENTS, b"\r\n"))),
    good("events after a byte order mark", b"\xef\xbb\xbf" + EVENTS),
    good("a byte order mark cut in two", b"\xef", b"\xbb", b"\xbf" + EVENTS),
    good("events without a space after the colon", EVENTS.replace(b"data: ", b"data:")),
    good("blank lines everywhere", b"\n\n\n" + EVENTS.replace(b"\n\n", b"\n\n\n\n")),
    good("comments everywhere", b": hi\n\n" + EVENTS.replace(b"data: ", b": x\ndata: ")),
    good("an event in many data lines", EVENTS.replace(b', "', b',\ndata: "')),
    good("ids and retries", EVENTS.replace(b"data: ", b"id: 7\nretry: 9\ndata: ")),
    good("a retry that is no number, an id with NUL", b"retry: soon\nid: a\0b\n" + EVENTS),
    good("a retry of 10,000 digits", b"retry: " + b"9" * 10_000 + b"\n" + EVENTS),
    good("fields nobody knows", EVENTS.replace(b"data: ", b"foo: bar\nbaz\ndata: ")),
    good("events with names", EVENTS.replace(b"data: ", b"event: chunk\ndata: ")),
    good("pings", b"event: ping\ndata: {}\n\n" + HEL + b"event: ping\ndata:\n\n" + LO + STOP),
    good("empty data", b"data:\n\ndata: \n\n" + EVENTS),
    good("an upper-case field", HEL, b"DATA: {nonsense\n\n", LO, STOP, DONE),
    good("spaces around [DONE]", HEL, LO, STOP, b"data:   [DONE]  \n\n"),
    # Characters
    good(
        "U+2028 and U+0085 in a text", said("a\u2028b\u0085c"), STOP, DONE, text="a\u2028b\u0085c"
    ),
    good("a NUL in an event", event(chunk("a\0b")), STOP, DONE, text="a\0b"),
    good("a character cut in two", *(bytes([e]) for e in said("é😀")), STOP, DONE, text="é😀"),
    good(
        "bytes that are not UTF-8",
        said("café").replace("é".encode(), b"\xe9"),
        STOP,
        DONE,
        text="caf\ufffd",
    ),
    good(
        "a lone surrogate in an event",
        event(chunk("X")).replace(b"X", b"\\ud800"),
        STOP,
        DONE,
        text="\ud800",
    ),
    # What follows the end
    good("events after [DONE]", EVENTS, event(chunk("not this"))),
    good("garbage after [DONE]", EVENTS, b"\0\xff{{{", b"data: {"),
    good("an error after [DONE]", EVENTS, event(ERROR)),
    good("[DONE] twice", EVENTS, DONE),
    good(
        "usage after the end, then [DONE]",
        HEL,
        LO,
        STOP,
        event({"choices": [], "usage": {"total_tokens": 3}}),
        DONE,
    ),
    # Errors in each form
    bad("an error object", REFUSED, event(ERROR), DONE),
    bad("an event named error", REFUSED, b"event: error\n" + event(ERROR["error"])),
    bad("an error event in plain text", REFUSED, b"event: error\ndata: out of luck\n\n"),
    bad("an error field", REFUSED, b"error: " + json.dumps(ERROR["error"]).encode() + b"\n\n"),
    bad("an error as a string", REFUSED, event({"error": "out of luck"})),
    bad("an error beside choices", REFUSED, event({**chunk(""), **ERROR})),
    bad("an error and nothing more", REFUSED, b"data: " + json.dumps(ERROR).encode()),
    Row(
        "an error first", streams(event(ERROR), DONE), Expect(APIStreamError, text="", says="luck")
    ),
    Row("an error for a whole answer", streams(HEL, event(ERROR)), Expect(APIStreamError), JSON),
    good("an error that is null", event({**chunk("hello"), "error": None}), STOP, DONE),
    # What can't be read
    bad("half an object", UNREADABLE, b'data: {"choices": [\n\n'),
    bad("no JSON", UNREADABLE, b"data: hello\n\n"),
    bad("a list", UNREADABLE, b"data: [1]\n\n"),
    bad("a string", UNREADABLE, b'data: "hello"\n\n'),
    bad("100,000 nested brackets", UNREADABLE, b"data: " + b"[" * 100_000 + b"\n\n"),
    good("an event without choices", event({}), HEL, LO, STOP, DONE),
    good("an event whose choices are null", event({"choices": None}), HEL, LO, STOP, DONE),
    good("a delta that is null", event({"choices": [{"index": 0, "delta": None}]}), HEL, LO, STOP),
    good(
        "wrong types", event({"id": 1, "choices": [{"index": [], "delta": 5}]}), HEL, LO, STOP, DONE
    ),
    good(
        "a message in place of a delta",
        HEL,
        LO,
        event({"choices": [{"message": {}, "index": 0, "finish_reason": "stop"}]}),
    ),
    # Sizes
    good("an event of 5 MB", event(chunk("x" * 5_000_000)), STOP, DONE, text="x" * 5_000_000),
    Row(
        "100,000 events in one write",
        streams(b"".join(event(chunk("x")) for _ in range(100_000)) + STOP + DONE),
        Expect(text="x" * 100_000),
        within=30,
    ),
    Row(
        "an event without end",
        unlimited,
        Expect(ResponseDecodeError, text="hel", says="large"),
        STREAM,
        within=20,
    ),
    # Encodings nobody asked for
    Row("a gzipped stream", encoded("gzip", gzip.compress(EVENTS)), OK),
    Row("a stream gzipped event by event", flushed, OK),
    Row(
        "a stream gzipped in two members",
        encoded("gzip", gzip.compress(HEL) + gzip.compress(LO + STOP + DONE)),
        OK,
    ),
    Row("a deflated stream", encoded("deflate", zlib.compress(EVENTS)), OK),
    Row(
        "a gzipped stream that is cut",
        encoded("gzip", gzip.compress(b"".join(event(chunk(f"{n}")) for n in range(999)))[:-600]),
        Expect((StreamError, APIConnectionError, ResponseDecodeError)),
    ),
    Row(
        "a gzipped stream that is damaged",
        encoded("gzip", gzip.compress(EVENTS)[:40] + b"\0" * 40),
        Expect((StreamError, APIConnectionError, ResponseDecodeError)),
    ),
    Row(
        "a bomb of one event",
        bomb(HEL + b"data: ", "text/event-stream"),
        TOO_LARGE,
        STREAM,
        within=30,
    ),
    Row("a bomb of JSON", bomb(b'{"a":"', "application/json"), TOO_LARGE, JSON, within=30),
    Row(
        "a bomb in an error",
        bomb(b'{"error":"', "application/json", status="400 x"),
        Expect(Exception),
        JSON,
        within=30,
    ),
]
