"""Answers of status 200 that are not what they should be."""

from __future__ import annotations

import gzip
import json
import zlib
from typing import Any

from orq_core import APIConnectionError, APIStreamError, ResponseDecodeError, StreamError
from orq_core.testing import DONE, chunk, completion, event
from tests.faults.scripts import BODY, EVENTS, OK
from tests.faults.table import JSON, STREAM, Expect, Row, Script, answers, sends, streams
from tests.raw_server import LAST_CHUNK, chunked, head

UNREADABLE = Expect(ResponseDecodeError, attributes={"status_code": 200})
NO_ANSWER = Expect((ResponseDecodeError, APIConnectionError, StreamError), text="")
EMPTY = Expect(text="")
REFUSED = Expect(APIStreamError, says="out of luck", attributes={"code": "luck"})
ERROR = b'{"error":{"message":"out of luck","code":"luck"}}'


def changed(**changes: Any) -> Script:
    return answers(json.dumps({**completion("hello"), **changes}).encode())


def choice(**changes: Any) -> Script:
    return changed(choices=[{**completion("hello")["choices"][0], **changes}])


def text(content: bytes) -> Script:
    """Answer with a content as it is written here."""
    return answers(BODY.replace(b'"hello"', content))


ROWS = [
    Row("200 with a page", answers(b"<html>Log in</html>", kind="text/html"), UNREADABLE),
    Row("200 with a page called JSON", answers(b"<html>Log in</html>"), UNREADABLE),
    Row("200 with nothing", answers(b""), NO_ANSWER),
    Row("200 with nothing, called events", answers(b"", kind="text/event-stream"), NO_ANSWER),
    Row("200 with white space", answers(b" \n\t "), UNREADABLE, JSON),
    Row("200 with white space for a stream", answers(b" \n\t "), NO_ANSWER, STREAM),
    Row("200 with null", answers(b"null"), UNREADABLE),
    Row("200 with a list", answers(b"[1, 2]"), UNREADABLE),
    Row("200 with a string", answers(b'"hello"'), UNREADABLE),
    Row("200 with a number", answers(b"42"), UNREADABLE),
    Row("200 with plain text", answers(b"hello there", kind="text/plain"), UNREADABLE),
    Row("200 with binary", answers(bytes(range(256)), kind="application/octet-stream"), UNREADABLE),
    Row("205", sends(head("Content-Length: 0", status="205 Reset")), NO_ANSWER),
    Row("200 with half a JSON object", answers(BODY[: len(BODY) // 2]), UNREADABLE),
    Row("200 with two JSON objects", answers(BODY + BODY), UNREADABLE),
    Row("200 with 100,000 nested brackets", answers(b"[" * 100_000), UNREADABLE),
    Row("200 with 100,000 nested objects", answers(b'{"a":' * 100_000), UNREADABLE),
    Row("200 with an error object", answers(ERROR), REFUSED),
    Row("200 with an error that is a string", answers(b'{"error":"no"}'), Expect(APIStreamError)),
    Row("200 with an error and null choices", answers(ERROR[:-1] + b',"choices":null}'), REFUSED),
    Row("200 with an error that is null", changed(error=None), OK),
    Row("200 with an empty object", answers(b"{}"), EMPTY),
    Row("choices that are missing", answers(b'{"id":"a","object":"chat.completion"}'), EMPTY),
    Row("choices that are null", changed(choices=None), EMPTY),
    Row("choices that are empty", changed(choices=[]), EMPTY),
    Row("choices that are a string", changed(choices="hello"), EMPTY),
    Row("choices that are numbers", changed(choices=[1, 2]), EMPTY),
    Row("a message that is null", choice(message=None), EMPTY),
    Row("a message that is a string", choice(message="hello"), EMPTY),
    Row("a content that is a number", choice(message={"content": 42}), EMPTY),
    Row(
        "a content that is a list of parts",
        choice(message={"role": "assistant", "content": [{"type": "text", "text": "hello"}]}),
        OK,
    ),
    Row("a usage that is a string", changed(usage="much"), OK),
    Row("a usage of floats and strings", changed(usage={"total_tokens": 7.5, "x": "1"}), OK),
    Row("an id that is a number", changed(id=17), OK),
    Row("a created that is a string", changed(created="now"), OK),
    Row("a finish reason nobody knows", choice(finish_reason="because"), OK),
    Row("a finish reason that is a number", choice(finish_reason=1), OK),
    Row("an index that is a string", choice(index="0"), OK),
    Row("an index that is a list", choice(index=[0]), OK),
    Row(
        "tool calls that are a string", choice(message={"content": "hello", "tool_calls": "x"}), OK
    ),
    Row(
        "tool calls without a function",
        choice(message={"content": "hello", "tool_calls": [{}, {"function": None}]}),
        OK,
    ),
    Row("logprobs of the wrong type", choice(logprobs=[1]), OK),
    Row("unknown fields everywhere", changed(a=1, b={"c": [None]}), OK),
    Row("NaN and infinities", answers(BODY[:-1] + b',"a":NaN,"b":[Infinity,-Infinity]}'), OK),
    Row("an integer of 400 digits", answers(BODY[:-1] + b',"a":' + b"9" * 400 + b"}"), OK),
    Row("an integer of 10,000 digits", answers(BODY[:-1] + b',"a":' + b"9" * 10_000 + b"}"), OK),
    Row("a number beyond floats", answers(BODY[:-1] + b',"a":1e999}'), OK),
    Row("a key twice", answers(BODY[:-1] + b',"id":"second"}'), OK),
    Row("an empty key", answers(BODY[:-1] + b',"":1}'), OK),
    Row("a byte order mark", answers(b"\xef\xbb\xbf" + BODY), OK),
    Row("white space around", answers(b"\r\n  " + BODY + b"\n\n"), OK),
    Row("white space to keep the line open", answers(b" \n" * 50_000 + BODY), OK),
    Row("a lone surrogate", text(b'"a\\ud800b"'), Expect(text="a\ud800b")),
    Row("a pair of surrogates", text(b'"\\ud83d\\ude00"'), Expect(text="\U0001f600")),
    Row("text that is not UTF-8", text(b'"caf\xe9"'), Expect(text="caf\ufffd")),
    Row("a NUL", text(b'"a\\u0000b"'), Expect(text="a\0b")),
    Row("line separators", text('"a\u2028b\u0085c"'.encode()), Expect(text="a\u2028b\u0085c")),
    Row("5 MB of text", text(b'"' + b"x" * 5_000_000 + b'"'), Expect(text="x" * 5_000_000)),
    Row(
        "204",
        sends(head(status="204 No Content")),
        Expect(ResponseDecodeError, attributes={"status_code": 204}),
        JSON,
    ),
    Row("204 for a stream", sends(head(status="204 No Content")), NO_ANSWER, STREAM),
    Row("201", answers(BODY, status="201 Created"), OK),
    Row("206", answers(BODY, "Content-Range: bytes 0-9/10", status="206 Partial"), OK),
    Row("an answer without content type", sends(head(f"Content-Length: {len(BODY)}"), BODY), OK),
    Row("an empty content type", answers(BODY, kind=""), OK),
    Row("a content type in capitals", answers(BODY, kind="APPLICATION/JSON"), OK),
    Row(
        "a content type with a charset", answers(BODY, kind='application/json; charset="utf-8"'), OK
    ),
    Row("a charset nobody knows", answers(BODY, kind="application/json; charset=banana"), OK),
    Row("JSON called a page", answers(BODY, kind="text/html"), OK),
    Row("JSON called an event stream", answers(BODY, kind="text/event-stream"), OK),
    Row("two content types", answers(BODY, "Content-Type: text/plain"), OK),
    Row("events called JSON", streams(EVENTS, kind="application/json"), OK),
    Row("events called plain text", streams(EVENTS, kind="text/plain; charset=latin-1"), OK),
    Row("events in capitals", streams(EVENTS, kind="Text/Event-Stream;Charset=UTF-8"), OK),
    Row("JSON for a stream", answers(BODY), OK, STREAM),
    Row("events for a whole answer", streams(EVENTS), OK, JSON),
    Row(
        "events of known length",
        answers(EVENTS, kind="text/event-stream"),
        OK,
    ),
    Row(
        "events for a whole answer, with an error",
        streams(event(chunk("hel")), event(json.loads(ERROR)), DONE),
        REFUSED,
        JSON,
    ),
    Row("gzip that was not asked for", answers(gzip.compress(BODY), "Content-Encoding: gzip"), OK),
    Row("deflate", answers(zlib.compress(BODY), "Content-Encoding: deflate"), OK),
    Row(
        "an encoding nobody knows",
        answers(BODY, "Content-Encoding: banana"),
        Expect((ResponseDecodeError, APIConnectionError), text="hello", or_good=True),
    ),
    Row(
        "gzip that is none",
        answers(BODY, "Content-Encoding: gzip"),
        Expect((ResponseDecodeError, APIConnectionError), text="hello", or_good=True),
    ),
    Row(
        "gzip that is cut",
        answers(gzip.compress(BODY)[:-20], "Content-Encoding: gzip"),
        Expect((ResponseDecodeError, APIConnectionError)),
        JSON,
    ),
    Row(
        "JSON in chunks of one byte",
        sends(
            head("Content-Type: application/json", "Transfer-Encoding: chunked")
            + b"".join(chunked(BODY[at : at + 1]) for at in range(len(BODY)))
            + LAST_CHUNK
        ),
        OK,
    ),
    Row(
        "trailers after the body",
        sends(
            head("Content-Type: application/json", "Transfer-Encoding: chunked", "Trailer: X-A")
            + chunked(BODY)
            + b"0\r\nX-A: b\r\n\r\n"
        ),
        OK,
    ),
]
