"""Reading an answer, sans-I/O: which kind it is, how it ends, how large it may be."""

from __future__ import annotations

import json
from typing import Any

import pytest

from orq_core import APIStreamError, ResponseDecodeError, StreamTruncatedError, to_dict
from orq_core._answers import AnswerReader, is_json, unfolded
from orq_core.models import make_converter
from orq_core.testing import DONE, chunk, completion, event

CONVERTER = make_converter()
BODY = json.dumps(completion("hello")).encode()
EVENTS = event(chunk("a")) + event(chunk("b", finish_reason="stop")) + DONE


def reader(*, stream: bool = True, max_bytes: int = 10_000) -> AnswerReader:
    return AnswerReader(CONVERTER, stream=stream, status=200, max_bytes=max_bytes)


def read(data: bytes, *, every: int, **options: Any) -> tuple[list[Any], AnswerReader]:
    reading = reader(**options)
    items: list[Any] = []
    for start in range(0, len(data), every):
        if reading.done:
            break
        items += unfolded(reading.read(data[start : start + every]))
    if not reading.done:
        items += reading.end()
    return items, reading


@pytest.mark.parametrize(
    ("head", "json"),
    [
        (b"", None),
        (b" \r\n", None),
        (b"\xef\xbb", None),
        (b"\xef\xbb\xbf ", None),
        (b"\xef\xbb\xbf{", True),
        (b"  {", True),
        (b"[", True),
        (b"<html>", True),
        (b"data: {", False),
        (b": comment", False),
        (b"event:", False),
    ],
)
def test_the_kind_is_told_by_content(head: bytes, json: bool | None) -> None:
    assert is_json(head) is json


@pytest.mark.parametrize("every", [1, 2, 7, 10_000])
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("data", [BODY, b" \n " + BODY, EVENTS, b"\xef\xbb\xbf" + EVENTS])
def test_either_kind_in_any_division(data: bytes, stream: bool, every: int) -> None:
    items, reading = read(data, every=every, stream=stream)
    assert reading.error is None
    assert "".join(item.text for item in items) == ("hello" if BODY in data else "ab")
    assert len(items) >= 1 if stream else len(items) == 1


@pytest.mark.parametrize("data", [b"", b" ", b"  ", b"\t", b"null", b" null "])
@pytest.mark.parametrize("every", [1, 10_000])
@pytest.mark.parametrize("stream", [False, True])
def test_an_event_that_says_nothing_is_ignored(data: bytes, every: int, stream: bool) -> None:
    alive = b"data: " + data + b"\n\n"
    events = event(chunk("a")) + alive + event(chunk("b", finish_reason="stop"))
    items, reading = read(alive + events + alive + DONE, every=every, stream=stream)
    assert reading.error is None
    assert "".join(item.text for item in items) == "ab"


def test_what_follows_the_end_is_ignored() -> None:
    items, reading = read(EVENTS + b"data: {broken\n\n", every=10_000)
    assert [item.text for item in items] == ["a", "b"]
    assert reading.error is None


def test_an_answer_has_a_largest_size() -> None:
    with pytest.raises(ResponseDecodeError, match="larger than 50 bytes"):
        read(BODY, every=10, stream=False, max_bytes=50)
    long = event(chunk("a")) + event(chunk("b" * 5000)) + DONE
    items, reading = read(long, every=10_000, max_bytes=1000)
    assert [item.text for item in items] == ["a"]
    assert isinstance(reading.error, ResponseDecodeError)
    assert "too large" in str(reading.error)


ERRORS = {
    "data": b'data: {"error": {"message": "boom", "code": "c1"}}\n\n',
    "named": b'event: error\ndata: {"message": "boom", "code": "c1"}\n\n',
    "beside choices": event({**chunk("b"), "error": {"message": "boom", "code": "c1"}}),
    "field": b'error: {"error": {"message": "boom", "code": "c1"}}\n\n',
    "text": b"event: error\ndata: boom\n\n",
}


@pytest.mark.parametrize("form", ERRORS)
@pytest.mark.parametrize("every", [1, 10_000])
def test_errors_in_every_form(form: str, every: int) -> None:
    items, reading = read(event(chunk("a")) + ERRORS[form] + DONE, every=every)
    assert isinstance(reading.error, APIStreamError)
    assert "boom" in str(reading.error)
    assert reading.error.code == (None if form == "text" else "c1")
    assert [item.text for item in items] == (["a", "b"] if form == "beside choices" else ["a"])


@pytest.mark.parametrize("n", [1, 2])
def test_an_end_is_an_end_only_when_every_choice_has_ended(n: int) -> None:
    data = b"".join(event(chunk("a", index=index)) for index in range(n))
    data += event(chunk(finish_reason="stop", index=0))
    _, reading = read(data, every=10_000)
    assert isinstance(reading.error, StreamTruncatedError) is (n == 2)
    assert reading.complete is (n == 1)


def test_a_whole_number_is_an_index_however_it_is_written() -> None:
    data = event(chunk("a", index=0.0)) + event(chunk(finish_reason="stop", index=1.0))
    _, reading = read(data, every=10_000)
    assert isinstance(reading.error, StreamTruncatedError)
    _, reading = read(data + event(chunk(finish_reason="stop", index=0)), every=10_000)
    assert reading.error is None


def test_a_last_event_without_its_blank_line_counts() -> None:
    items, reading = read(EVENTS.rstrip(b"\n"), every=10_000)
    assert [item.text for item in items] == ["a", "b"]
    assert reading.error is None


@pytest.mark.parametrize("index", [{"a": 1}, [0], 1.5, None, "0"], ids=str)
@pytest.mark.parametrize("stream", [False, True])
def test_an_index_may_be_anything(stream: bool, index: Any) -> None:
    data = event(chunk("a", index=index)) + event(chunk(finish_reason="stop", index=index)) + DONE
    items, reading = read(data, every=len(data), stream=stream)
    assert reading.error is None
    assert "".join(item.text for item in items) == "a"
    assert json.dumps([to_dict(item) for item in items])


def test_nothing_at_all() -> None:
    _, reading = read(b"", every=1)
    assert isinstance(reading.error, StreamTruncatedError)
    with pytest.raises(ResponseDecodeError):
        read(b"", every=1, stream=False)
    items, reading = read(DONE, every=100, stream=False)
    assert not items
    assert isinstance(reading.error, ResponseDecodeError)


def test_a_role_alone_is_an_item() -> None:
    items, _ = read(event(chunk(role="assistant")) + DONE, every=100)
    assert to_dict(items[0].choices[0].delta) == {"role": "assistant"}
