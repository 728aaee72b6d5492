"""What is packed from the difference alone is what packing all of it would give."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from orq_core import ChatCompletion, ChatCompletionChunk
from orq_core._answers import StreamReader, unfolded
from orq_core.models import make_converter
from orq_core.testing import chunk, completion
from orq_plugins.caching.entry import pack
from orq_plugins.caching.recording import Recording
from orq_plugins.caching.repeats import Repeats
from tests.shared import exchanges, needs_shared

CONVERTER = make_converter()


def read(body: Any) -> ChatCompletionChunk:
    return CONVERTER.structure(body, ChatCompletionChunk)


def like(item: ChatCompletionChunk, text: Any) -> ChatCompletionChunk:
    """Make a chunk that shares every value with another, as those of one template do."""
    twin = copy.copy(item)
    choice = copy.copy(item.choices[0])
    choice.delta = copy.copy(choice.delta)
    choice.delta.content = text
    twin.choices = [choice]
    twin.extra = dict(twin.extra)
    return twin


def plain(**more: Any) -> ChatCompletionChunk:
    body = chunk("a")
    body.update(more)
    return read(body)


def learned(item: ChatCompletionChunk) -> Repeats:
    repeats = Repeats()
    repeats.learn(item)
    return repeats


@pytest.mark.parametrize("text", ["", "b", "—probe—", "é" * 40, "x" * 300, "x" * 70000, '"\\'])
@pytest.mark.parametrize("more", [{}, {"odd": 1, "note": None}, {"id": "—probe—"}])
def test_the_bytes_are_the_same(text: str, more: dict[str, Any]):
    item = plain(**more)
    twin = like(item, text)
    assert learned(item).packed(twin) in {pack(twin), None}
    if "id" not in more:
        assert learned(item).packed(twin) is not None


@pytest.mark.parametrize("value", [1, 1.0, True, None, "1"])
def test_a_value_that_is_only_equal_is_another(value: Any):
    item = plain(odd=1)
    twin = like(item, "b")
    twin.extra["odd"] = value
    packed = learned(item).packed(twin)
    assert packed == (pack(twin) if type(value) is int else None)


def test_what_differs_is_packed_as_a_whole():
    item = plain()
    repeats = learned(item)
    others = [like(item, "b") for _ in range(6)]
    others[0].choices[0].finish_reason = "stop"
    others[1].choices[0].delta.role = "assistant"
    others[2].choices.append(others[3].choices[0])
    others[3].extra["odd"] = 1
    others[4].choices[0].delta.content = [{"type": "text", "text": "b"}]
    others[5].choices[0].delta.content = None
    assert [repeats.packed(other) for other in others] == [None] * 6
    assert repeats.packed(plain(model="other")) is None
    assert repeats.packed(CONVERTER.structure(completion("b"), ChatCompletion)) is None


def test_a_text_that_is_no_unicode_is_left_to_the_whole():
    item = plain()
    assert learned(item).packed(like(item, "\ud800")) is None


def test_changes_to_the_first_are_not_those_of_the_next():
    item = plain()
    repeats = learned(item)
    twin = like(item, "b")
    expected = pack(twin)
    item.model = "changed"
    item.choices[0].delta.role = "changed"
    assert repeats.packed(twin) == expected


def test_what_holds_a_list_is_not_learned():
    item = plain(odd=[1])
    assert learned(item).packed(like(item, "b")) is None


def test_learning_stops_where_nothing_repeats():
    repeats = Repeats()
    items = [plain(id=f"id-{number}") for number in range(9)]
    for item in items:
        repeats.learn(item)
    assert repeats.packed(like(items[-1], "b")) is None


@needs_shared
def test_recorded_streams_are_kept_as_they_were():
    streams = [each.body.encode() for each in exchanges() if each.body.lstrip().startswith("data")]
    assert len(streams) > 50
    for body in streams:
        reader = StreamReader(CONVERTER, max_event_bytes=2**24)
        pieces = [*reader.read(body), *(() if reader.done else reader.end())]
        items = [*unfolded(pieces)]
        recording = Recording(2**24, 1)
        for item in items:
            recording.add(item, original=False)
        assert recording._items == [pack(item) for item in items]
