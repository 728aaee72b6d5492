"""How an answer says where its body ends."""

from __future__ import annotations

from orq_core import APIConnectionError, ResponseDecodeError, StreamError
from tests.faults.scripts import BODY, BROKEN, LENGTH, TYPE, head_of
from tests.faults.table import JSON, Expect, Row
from tests.raw_server import LAST_CHUNK, chunked

ROWS = [
    Row("two different lengths", head_of(TYPE, LENGTH, "Content-Length: 5"), BROKEN),
    Row(
        "two different lengths, the right one last",
        head_of(TYPE, "Content-Length: 5", LENGTH),
        BROKEN,
    ),
    Row("two different lengths in one line", head_of(TYPE, f"{LENGTH}, 5"), BROKEN),
    Row("a negative length", head_of(TYPE, "Content-Length: -1"), BROKEN),
    Row("a length with a sign", head_of(TYPE, f"Content-Length: +{len(BODY)}"), BROKEN),
    Row("a length in words", head_of(TYPE, "Content-Length: all of it"), BROKEN),
    Row("a length of 400 digits", head_of(TYPE, f"Content-Length: {'9' * 400}"), BROKEN),
    Row("an empty length", head_of(TYPE, "Content-Length:"), BROKEN),
    Row(
        "a length and chunks",
        head_of(TYPE, LENGTH, "Transfer-Encoding: chunked", body=chunked(BODY) + LAST_CHUNK),
        BROKEN,
    ),
    Row(
        "chunks and a length",
        head_of(
            TYPE, "Transfer-Encoding: chunked", "Content-Length: 5", body=chunked(BODY) + LAST_CHUNK
        ),
        BROKEN,
    ),
    Row("a transfer encoding nobody knows", head_of(TYPE, "Transfer-Encoding: banana"), BROKEN),
    Row(
        "chunked twice",
        head_of(
            TYPE,
            "Transfer-Encoding: chunked, chunked",
            body=chunked(chunked(BODY) + LAST_CHUNK) + LAST_CHUNK,
        ),
        BROKEN,
    ),
    Row(
        "a length that is too great",
        head_of(TYPE, f"Content-Length: {len(BODY) + 1}"),
        BROKEN,
        kinds=JSON,
    ),
    Row(
        "a length that is too small",
        head_of(TYPE, f"Content-Length: {len(BODY) - 1}"),
        # What is left over shows that the framing is wrong; so does half a JSON document.
        Expect((ResponseDecodeError, APIConnectionError)),
    ),
    Row(
        "a chunk whose size is no number",
        head_of(TYPE, "Transfer-Encoding: chunked", body=b"zz\r\nab\r\n"),
        BROKEN,
    ),
    Row(
        "a chunk whose size is negative",
        head_of(TYPE, "Transfer-Encoding: chunked", body=b"-5\r\nabcde\r\n0\r\n\r\n"),
        BROKEN,
    ),
    Row(
        "a chunk size without end",
        head_of(TYPE, "Transfer-Encoding: chunked", body=b"1" * 200_000),
        BROKEN,
    ),
    Row(
        "TLS cut without a farewell",
        head_of("Content-Type: application/json", "Connection: close", body=BODY[:-9]),
        Expect((ResponseDecodeError, APIConnectionError, StreamError)),
        tls="good",
    ),
]
