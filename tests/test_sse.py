from __future__ import annotations

import base64
import json
import random
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orq_core._sse import Decoder, Event, EventTooLargeError
from tests.shared import SHARED, needs_shared

CASES = (
    json.loads((SHARED / "traffic" / "sse_cases.json").read_text("utf-8"))
    if (SHARED / "traffic" / "sse_cases.json").exists()
    else []
)


def decode(pieces) -> tuple[list[Event], Decoder]:
    decoder = Decoder()
    return [event for piece in pieces for event in decoder.feed(piece)], decoder


def plain(event: Event) -> tuple[object, ...]:
    return event.event, event.data, event.id, event.retry, event.fields


def of_the_standard(events: list[Event]) -> list[dict[str, object]]:
    return [
        {"event": event.event, "data": event.text, "id": event.id, "retry": event.retry}
        for event in events
        if event.data is not None
    ]


def divisions(stream: bytes, seed: str):
    yield [stream]
    yield [stream[i : i + 1] for i in range(len(stream))]
    # Long streams differ only in their repetitions: their beginnings and ends are what matters.
    points = range(len(stream) + 1)
    for at in points if len(stream) < 600 else [*points[:200], *points[-200:]]:
        yield [stream[:at], stream[at:]]
    generator = random.Random(seed)
    for _ in range(20):
        cuts = sorted(generator.choices(points, k=generator.randint(1, 9)))
        yield [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]


@needs_shared
@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_follows_the_standard_however_the_bytes_are_divided(case):
    stream = base64.b64decode(case["bytes_base64"])
    ways = list(divisions(stream, case["name"]))
    if "chunks_base64" in case:
        ways.append([base64.b64decode(chunk) for chunk in case["chunks_base64"]])
    for pieces in ways:
        events, decoder = decode(pieces)
        assert of_the_standard(events) == case["expected_events"]
        assert decoder.last_event_id == case["final_last_event_id"]
        assert decoder.retry == case["final_retry"]


lines = st.sampled_from(
    [
        b"data: x",
        b"data:",
        b"data",
        b'data: {"a": "\xc3\xa9"}',
        b"data: \xff\xfe",
        b"event: e",
        b"id: 7",
        b"id: \x00",
        b"retry: 5",
        b"error: broken",
        b"other: y",
        b": comment",
        b"\xef\xbb\xbf",
        b"",
        b"",
    ],
)
streams = st.lists(
    st.tuples(lines, st.sampled_from([b"\n", b"\r", b"\r\n", b""])).map(b"".join),
    max_size=20,
).map(b"".join)


@settings(max_examples=200, deadline=None)
@given(streams | st.binary(max_size=80), st.lists(st.integers(0, 400), max_size=12))
def test_any_division_gives_the_same_events(stream, cuts):
    points = sorted(min(cut, len(stream)) for cut in cuts)
    pieces = [stream[a:b] for a, b in zip([0, *points], [*points, len(stream)], strict=True)]
    whole, one = decode([stream])
    divided, many = decode(pieces)
    assert one.pending == many.pending
    assert list(map(plain, whole + one.flush())) == list(map(plain, divided + many.flush()))
    assert (one.last_event_id, one.retry, one.comments) == (
        many.last_event_id,
        many.retry,
        many.comments,
    )


def steps(pieces: list[bytes]) -> int:
    """Count the lines of Python that decoding runs."""
    count = 0

    def trace(frame, kind, argument):
        nonlocal count
        count += 1
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        decode(pieces)
    finally:
        sys.settrace(before)
    return count


@pytest.mark.parametrize("size", [1, 7, 100])
@pytest.mark.parametrize(
    "unit",
    [b"x", b"data: x\n", b"y: x\n", b": x\n", b"data: x\r\n\r\n", b"error: x\n\n"],
)
def test_work_grows_with_the_bytes_and_not_faster(unit, size):
    def work(times: int) -> int:
        stream = b"data: " + unit * times
        return steps([stream[i : i + size] for i in range(0, len(stream), size)])

    assert work(800) < 2.1 * work(400)


def test_an_unfinished_line_is_not_copied_while_it_grows():
    decoder = Decoder()
    pieces = [b"data: ", *(bytes([65 + i % 26]) * 1000 for i in range(100))]
    for piece in pieces:
        decoder.feed(piece)
    assert all(kept is piece for kept, piece in zip(decoder._pieces[1:], pieces[1:], strict=True))
    (event,) = decoder.feed(b"\n\n")
    assert event.data == b"".join(pieces[1:])


def test_a_field_named_error_is_an_event_without_data():
    (event,), decoder = decode([b'error: {"detail":"x"}\n\n'])
    assert event.data is None
    assert event.text == ""
    assert event.fields == {"error": b'{"detail":"x"}'}
    assert not decoder.pending


def test_other_fields_are_kept_beside_the_data():
    (event,), _ = decode([b"data: 1\ntrace: a\ntrace: b\nlone\n\n"])
    assert event.data == b"1"
    assert event.fields == {"trace": b"a\nb", "lone": b""}


def test_other_fields_alone_are_no_event():
    assert decode([b"trace: a\n\n"])[0] == []


def test_bytes_that_are_not_utf_8_stay_as_they_are():
    (event,), _ = decode([b"data: \xff\n\n"])
    assert event.data == b"\xff"
    assert event.text == "\ufffd"


def test_comments_are_counted():
    assert decode([b": a\n:\n\ndata: 1\n\n: b\n"])[1].comments == 3


def test_a_repr_shows_no_content():
    (event,), _ = decode([b"data: private\n\n"])
    assert repr(event) == "<Event 'message': 7 bytes of data>"
    assert repr(Event(None)) == "<Event 'message': None bytes of data>"


@pytest.mark.parametrize("digits", [b"9" * 19, b"9" * 10_000, b"+1", b"\xd9\xa1"])
def test_a_reconnection_time_out_of_reason_is_ignored(digits):
    assert decode([b"retry: " + digits + b"\ndata: 1\n\n"])[1].retry is None


@pytest.mark.parametrize(
    ("stream", "data"),
    [
        (b"data: [DONE]", b"[DONE]"),
        (b"data: [DONE]\n", b"[DONE]"),
        (b"data: [DONE]\r\n", b"[DONE]"),
        (b'data: {"a": 1}', b'{"a": 1}'),
        (b'data: {"a":\ndata: 1}\n', b'{"a":\n1}'),
        (b"event: error\ndata: overloaded\n", b"overloaded"),
    ],
)
def test_flush_returns_an_event_that_only_lacks_its_blank_line(stream, data):
    events, decoder = decode([stream])
    assert events == []
    assert decoder.pending
    (event,) = decoder.flush()
    assert event.data == data
    assert not decoder.pending
    assert decoder.flush() == []


def test_flush_returns_an_error_field():
    (event,) = decode([b'error: {"a": 1}\n'])[1].flush()
    assert event.data is None
    assert event.fields == {"error": b'{"a": 1}'}


@pytest.mark.parametrize(
    "stream",
    [
        b"",
        b"\n",
        b": comment",
        b"\xef",
        b"\xef\xbb\xbf",
        b"dat",
        b"data: ",
        b"data: half a wor",
        b'data: {"a": 1',
        b'data: {"a":\n',
        b'data: [{"a": 1}\n',
        b"id: 4\n",
    ],
)
def test_flush_drops_what_is_not_whole(stream):
    decoder = decode([b"id: 3\n\n", stream])[1]
    assert decoder.flush() == []
    assert decoder.last_event_id == "3"
    assert decode([stream])[1].flush() == []


@pytest.mark.parametrize("size", [1, 3, 1000])
@pytest.mark.parametrize(
    "large",
    [b"data: " + b"x" * 60, b"data: x\n" * 9, b"y: x\n" * 12, b":" + b"x" * 60],
    ids=["line", "lines", "fields", "comment"],
)
def test_an_event_too_large_is_refused_before_it_is_whole(large, size):
    decoder = Decoder(max_event_bytes=50)
    stream = b"data: 1\n\n" + large
    events: list[Event] = []
    with pytest.raises(EventTooLargeError, match="more than 50 bytes") as caught:
        for i in range(0, len(stream), size):
            events += decoder.feed(stream[i : i + size])
    assert [event.data for event in events + caught.value.blocks] == [b"1"]


def test_the_limit_is_per_event_and_not_per_stream():
    decoder = Decoder(max_event_bytes=50)
    assert len(decoder.feed(b": a comment\ndata: 12345678901234567890\n\n" * 50)) == 50
