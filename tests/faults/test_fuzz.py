"""Whatever bytes or JSON a server sends: typed errors, nothing lost, the same in any division."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from orq_core import ChatCompletion, ChatCompletionChunk, OrqError, to_dict
from orq_core._accumulate import Accumulator, chunks_of
from orq_core._answers import AnswerReader, unfolded
from orq_core._sse import Decoder, EventTooLargeError
from orq_core.models import make_converter
from orq_core.testing import DONE, chunk, completion, event
from orq_plugins.caching.entry import pack, unpack
from orq_plugins.caching.policy import Completeness
from orq_plugins.redaction import DEFAULT
from orq_plugins.redaction.assembly import answer_rewriter
from orq_plugins.redaction.matcher import Matcher
from orq_plugins.redaction.settings import Settings

CONVERTER = make_converter()
MATCHER = Matcher.of(DEFAULT)
LIMIT = 300

LINES = st.sampled_from(
    [
        b"data: {}",
        b"data: [DONE]",
        b"data:",
        b"data",
        b": comment",
        b"event: error",
        b"event: ping",
        b"id: 7",
        b"retry: 99",
        b'error: {"message": "x"}',
        b"\xef\xbb\xbf",
        b"\x00",
        b"\xff\xfe",
        b"\xe2\x80\xa8",
        b"<html>",
        b"{",
        json.dumps(chunk("a")).encode(),
        b"data: " + json.dumps(chunk("a")).encode(),
        b"data: " + json.dumps(chunk(finish_reason="stop")).encode(),
        b"data: " + json.dumps({"error": {"message": "x", "code": 5}}).encode(),
        json.dumps(completion("hi")).encode(),
    ],
)
ENDS = st.sampled_from([b"\n", b"\r\n", b"\r", b"\n\n", b"\r\n\r\n", b""])
BODIES = st.lists(st.tuples(LINES | st.binary(max_size=12), ENDS), max_size=12).map(
    lambda parts: b"".join(line + end for line, end in parts)
)
CUTS = st.lists(st.integers(0, 400), max_size=8)

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3)
    ),
    max_leaves=8,
)  # fmt: skip
NAMES = ["content", "role", "refusal", "reasoning", "tool_calls", "audio", "function_call", "new"]
DELTAS = st.dictionaries(st.sampled_from(NAMES), JSON, max_size=4)
FUNCTIONS = st.fixed_dictionaries({}, optional={"arguments": JSON, "name": JSON})
CALLS = st.lists(
    st.fixed_dictionaries(
        {},
        optional={
            "index": JSON,
            "id": JSON,
            "function": JSON | FUNCTIONS,
        },
    ),
    max_size=3,
)  # fmt: skip
CHOICES = st.lists(
    st.fixed_dictionaries(
        {},
        optional={
            "index": JSON,
            "finish_reason": JSON,
            "delta": DELTAS | JSON | st.builds(lambda calls: {"tool_calls": calls}, CALLS),
            "message": DELTAS | JSON,
            "logprobs": JSON,
        },
    ),
    max_size=3,
)
ANSWERS = st.fixed_dictionaries(
    {}, optional={"id": JSON, "choices": CHOICES | JSON, "usage": JSON, "model": JSON, "x": JSON}
)


def parts(data: bytes, cuts: list[int]) -> list[bytes]:
    places = sorted(min(cut, len(data)) for cut in cuts)
    return [data[a:b] for a, b in zip([0, *places], [*places, len(data)], strict=True)]


@settings(max_examples=300, deadline=None)
@given(BODIES, CUTS)
def test_events_do_not_depend_on_the_division(data: bytes, cuts: list[int]):
    def decoded(pieces: list[bytes]) -> list[Any]:
        decoder, events = Decoder(max_event_bytes=10_000), []
        for piece in pieces:
            events += decoder.feed(piece)
        return [(e.data, e.event, e.id, e.retry, e.fields) for e in [*events, *decoder.flush()]]

    assert decoded(parts(data, cuts)) == decoded([data])


@settings(max_examples=200, deadline=None)
@given(BODIES, CUTS)
def test_a_decoder_holds_no_more_than_its_limit(data: bytes, cuts: list[int]):
    decoder = Decoder(max_event_bytes=LIMIT)
    try:
        for piece in parts(data * 20, cuts):
            decoder.feed(piece)
            assert decoder._size + decoder._pieces_size <= LIMIT
    except EventTooLargeError:
        pass


@settings(max_examples=300, deadline=None)
@given(BODIES, CUTS, st.booleans())
def test_any_bytes_are_items_or_an_error_of_the_tree(data: bytes, cuts: list[int], stream: bool):
    reader = AnswerReader(CONVERTER, stream=stream, status=200, max_bytes=LIMIT * 10)
    try:
        items = [
            each
            for piece in parts(data, cuts)
            if not reader.done
            for each in unfolded(reader.read(piece))
        ]
        if not reader.done:
            items += reader.end()
    except OrqError as error:
        assert "\n" not in str(error)
    else:
        assert reader.done
        assert json.dumps([to_dict(each) for each in items])


@settings(max_examples=400, deadline=None)
@given(ANSWERS)
def test_nothing_is_lost_in_conversion(answer: dict[str, Any]):
    for kind in (ChatCompletion, ChatCompletionChunk):
        assert to_dict(CONVERTER.structure(answer, kind)) == answer


@settings(max_examples=300, deadline=None)
@given(st.lists(ANSWERS, max_size=5))
def test_any_chunks_add_up(answers: list[dict[str, Any]]):
    accumulator, completeness = Accumulator(), Completeness()
    for answer in answers:
        made = CONVERTER.structure(answer, ChatCompletionChunk)
        accumulator.add(made)
        packed = pack(made)
        if packed is not None:
            assert to_dict(unpack(packed)) == answer
            completeness.see(answer)
    whole = accumulator.completion()
    assert json.dumps(to_dict(whole))
    assert json.dumps([to_dict(each) for each in chunks_of(whole)])
    assert completeness.storable(1) in {True, False}


@settings(max_examples=300, deadline=None)
@given(st.lists(ANSWERS, max_size=4), st.booleans())
def test_any_answer_can_be_redacted(answers: list[dict[str, Any]], whole: bool):
    rewriter = answer_rewriter(
        MATCHER, Settings(max_hold_chars=1000), lambda entity, _: f"[{entity}]"
    )
    kind = ChatCompletion if whole else ChatCompletionChunk
    for answer in answers:
        assert json.dumps(to_dict(rewriter.item(CONVERTER.structure(answer, kind))))
    rest = rewriter.rest()
    assert rest is None or json.dumps(to_dict(rest))


def test_the_strategies_reach_answers():
    """The bodies above are made of lines like these, which make a good answer."""
    reader = AnswerReader(CONVERTER, stream=True, status=200, max_bytes=LIMIT * 10)
    items = reader.read(event(chunk("a")) + event(chunk(finish_reason="stop")) + DONE)
    assert reader.done
    assert [item.text for item in unfolded(items)] == ["a", ""]
