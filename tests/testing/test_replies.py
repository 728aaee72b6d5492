from __future__ import annotations

import json
from typing import Any

import pytest

from orq_core.testing import (
    DONE,
    Cut,
    Pause,
    Reply,
    Send,
    chunk,
    error_event,
    event,
    recorded,
    reply,
    stream,
)
from orq_core.testing.server import slowed


def pieces(answer: Reply) -> list[Any]:
    return [step.data if isinstance(step, Send) else step for step in answer.steps]


@pytest.mark.parametrize(
    ("points", "every", "expected"),
    [
        ([], None, [b"abcdef"]),
        ([2, 4], None, [b"ab", b"cd", b"ef"]),
        ([4, 2, 2, 0, 6, 99, -1], None, [b"ab", b"cd", b"ef"]),
        ([], 4, [b"abcd", b"ef"]),
        ([1], 3, [b"a", b"bc", b"def"]),
        ([], 99, [b"abcdef"]),
    ],
)
def test_a_body_in_other_pieces(points: list[int], every: int | None, expected: list[bytes]):
    answer = reply(b"abc", status=201, headers={"x": "y"}).then(Send(b"def"))
    again = answer.chunked_at(points, every=every)
    assert pieces(again) == expected
    assert (again.status, again.headers, again.body) == (201, answer.headers, b"abcdef")


def test_other_steps_keep_their_place():
    answer = stream(Pause(1), b"ab", b"cd", Pause(2), b"ef", Cut())
    assert pieces(answer.chunked_at([1, 4, 5])) == [
        Pause(1), b"a", b"bcd", Pause(2), b"e", b"f", Cut(),
    ]  # fmt: skip


def test_one_piece_for_each_event():
    answer = stream(b"data: 1\n\ndata: 2\r\n\r\n: comment\n\r\r", b"data: 3\r\rtail")
    assert pieces(answer.by_event()) == [
        b"data: 1\n\n", b"data: 2\r\n\r\n", b": comment\n\r\r", b"data: 3\r\r", b"tail",
    ]  # fmt: skip
    plain = reply(b"a\n\nb")
    assert plain.by_event() is plain


@pytest.mark.parametrize("name", ["content-type", "CONTENT-TYPE", "Content-Type"])
def test_a_given_content_type_is_the_only_one(name: str):
    assert reply({}, headers={name: "text/html"}).headers == {name: "text/html"}
    assert not stream(headers={name: "text/html"}).is_event_stream
    assert Reply(headers={name: "Text/Event-Stream"}).is_event_stream


def test_bodies_of_each_kind():
    assert reply("é").body == "é".encode()
    assert reply(b"\xff").body == b"\xff"
    assert reply([1, {"a": None}]).body == b'[1, {"a": null}]'
    assert reply().is_whole
    assert Reply().is_whole
    assert not reply(b"a").then(Cut()).is_whole
    assert not stream(DONE).is_whole


def test_errors_inside_a_stream():
    assert event({"a": 1}) == b'data: {"a": 1}\n\n'
    assert error_event("no", code=5) == b'data: {"error": {"message": "no", "code": 5}}\n\n'
    assert error_event("no", name="error").startswith(b"event: error\ndata: {")
    assert error_event(field="error").startswith(b'error: {"error": ')
    assert stream(chunk("a")).body.endswith(b"\n\n")


@pytest.mark.parametrize(
    "exchange",
    [{}, [], {"response": None}, {"response": {}}, {"response": {"status": 200, "headers": {}}}],
)
def test_what_is_no_recording_is_told(exchange: Any):
    with pytest.raises(ValueError, match="not a recorded exchange"):
        recorded(exchange)


def test_a_recording_leaves_its_connection_behind():
    kept = {"Content-Type": "application/json", "x-request-id": "req-fake"}
    dropped = {"Content-Length": "9", "Content-Encoding": "gzip", "CONNECTION": "close"}
    response = {"status": 429, "headers": {**kept, **dropped}, "body": '{"é": 1}'}
    answer = recorded({"response": response})
    assert (answer.status, answer.headers) == (429, kept)
    assert json.loads(answer.body) == {"é": 1}


def test_pauses_come_between_pieces():
    answer = slowed(stream(b"a", b"b"), 0.5)
    assert pieces(answer) == [b"a", Pause(0.5), b"b"]
    assert slowed(Reply(), 0.5).steps == ()
