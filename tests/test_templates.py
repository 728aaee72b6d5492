"""Events that are read without parsing them: the same chunks, whatever is sent."""

from __future__ import annotations

import json
from itertools import islice
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orq_core._accumulate import Accumulator
from orq_core._answers import StreamReader, unfolded
from orq_core.models import ChatCompletionChunk, Delta, make_converter, to_dict
from orq_core.testing import DONE, chunk, event
from tests.shared import SHARED, exchanges

CONVERTER = make_converter()
STREAMS = [each for each in exchanges() if "data:" in each.body] if SHARED.exists() else []


def reader(*, templates: bool = True, converter: Any = CONVERTER) -> StreamReader:
    made = StreamReader(converter, max_event_bytes=2**20)
    made.templates._off = None if templates else True
    return made


def size(piece: Any) -> int:
    return len(piece[1]) if isinstance(piece, tuple) else 1


def both(*parts: bytes) -> tuple[StreamReader, list[Any]]:
    """Read with and without templates, and compare all there is."""
    fast, slow = reader(), reader(templates=False)
    pieces: list[Any] = []
    expected: list[Any] = []
    for data in parts:
        if not fast.done:
            pieces += fast.read(data)
        if not slow.done:
            expected += slow.read(data)
    pieces += fast.end()
    expected += slow.end()
    chunks = [*unfolded(pieces)]
    assert [to_dict(each) for each in chunks] == [to_dict(each) for each in expected]
    assert repr(chunks) == repr(expected)
    assert type(fast.error) is type(slow.error)
    assert (fast.done, fast.delivered, fast.complete) == (slow.done, slow.delivered, slow.complete)
    taken, added = Accumulator(), Accumulator()
    others = iter(expected)
    for number, piece in enumerate(pieces):
        taken.take(piece)
        for each in islice(others, size(piece)):
            added.add(each)
        if number % 7 == 0:
            assert to_dict(taken.completion()) == to_dict(added.completion())
    assert to_dict(taken.completion()) == to_dict(added.completion())
    return fast, pieces


def test_recorded_streams_read_the_same() -> None:
    if not STREAMS:
        pytest.skip("ORQ_SHARED has no recorded traffic")
    repeated = total = 0
    for exchange in STREAMS:
        _, pieces = both(exchange.body.encode())
        repeated += sum(size(each) for each in pieces if isinstance(each, tuple))
        total += sum(map(size, pieces))
    print(f"{repeated} of {total} recorded events repeat an earlier one")
    assert repeated > total / 4


TEXT = st.one_of(
    st.text(max_size=8),
    st.sampled_from(['"', "\\", '","content":"', '"}}]}', "\n", "\u2028", "é", "😀", "."]),
)
EVENTS = st.fixed_dictionaries(
    {
        "index": st.sampled_from([0, 0, 0, 1, "0", None]),
        "field": st.sampled_from(["content", "content", "reasoning", "arguments", "refusal"]),
        "text": st.one_of(TEXT, TEXT, TEXT, st.none(), st.just(3)),
        "before": st.sampled_from([None, None, "content", "x"]),
        "after": st.sampled_from([None, None, "content", "y"]),
        "finish": st.sampled_from([None, None, None, "stop"]),
        "id": st.sampled_from(["a", "a", "a", "b"]),
        "ascii": st.booleans(),
    }
)


def of(plan: dict[str, Any]) -> bytes:
    """Write an event; a field of the same name, or twice the same, may stand around its text."""
    text = json.dumps(plan["text"], ensure_ascii=plan["ascii"])
    if plan["field"] == "arguments":
        delta = f'"tool_calls":[{{"index":0,"function":{{"arguments":{text}}}}}]'
    else:
        delta = f'"{plan["field"]}":{text}'
    if plan["before"]:
        delta = f'"{plan["before"]}":{text},{delta}'
    if plan["after"]:
        delta += f',"{plan["after"]}":{text}'
    index, finish = json.dumps(plan["index"]), json.dumps(plan["finish"])
    choice = f'{{"index":{index},"delta":{{{delta}}},"finish_reason":{finish}}}'
    body = f'{{"id":"{plan["id"]}","choices":[{choice}],"content":{text},"usage":null}}'
    return f"data: {body}\n\n".encode()


@given(st.lists(st.tuples(EVENTS, st.lists(TEXT, max_size=4)), min_size=1, max_size=8))
@settings(max_examples=300, deadline=None)
def test_any_events_read_the_same(plans: list[tuple[dict[str, Any], list[str]]]) -> None:
    events = [
        of({**plan, "text": text}) for plan, texts in plans for text in (plan["text"], *texts)
    ]
    both(b"".join(events) + DONE)


BODY = st.one_of(
    TEXT.map(lambda text: json.dumps(text)[1:-1].encode()),
    st.sampled_from(
        [b'a","b', b"a\\", b"\\\\", b'\\"', b'"', b',"', b'","', b"\xff", b"\t", b"\\ud800"]
    ),
)
WORDS = st.text("ab ", max_size=3).map(str.encode)


@given(st.lists(st.one_of(WORDS, WORDS, WORDS, BODY), min_size=1, max_size=40), st.booleans())
@settings(max_examples=500, deadline=None)
def test_runs_of_alike_events_read_the_same(bodies: list[bytes], cut: bool) -> None:
    frame = event({**chunk("@"), "usage": None})
    data = b"".join(frame.replace(b"@", body) for body in bodies)
    first = frame + frame
    middle = len(data) // 2 if cut else len(data)
    both(first, data[:middle], data[middle:], DONE)


def test_a_run_is_read_at_once() -> None:
    frames = [event(chunk(f" {number}\n")) for number in range(100)]
    _, pieces = both(frames[0], frames[1], b"".join(frames[2:]))
    assert sorted(map(size, pieces))[-3:] == [32, 32, 32]


@given(st.lists(st.tuples(TEXT, st.integers(0, 60), st.binary(max_size=2)), max_size=6))
@settings(max_examples=300, deadline=None)
def test_damaged_events_read_the_same(damages: list[tuple[str, int, bytes]]) -> None:
    data = event(chunk("one")) + event(chunk("two"))
    for text, at, noise in damages:
        sound = event(chunk(text))
        data += sound[:at] + noise.replace(b"\n", b"") + sound[at + 1 :] + event(chunk(text))
    both(data)


def test_chunks_share_nothing_that_can_be_changed() -> None:
    body = {**chunk("a"), "provider": "fake"}
    made = [*unfolded(reader().read(b"".join(event(body) for _ in range(4))))]
    for number, each in enumerate(made):
        each.choices[0].delta.content = str(number)
        each.choices[0].extra["mine"] = number
        each.choices.append(each.choices[0])
        each.extra["provider"] = number
    assert [each.text for each in made] == ["0", "1", "2", "3"]
    assert [each.choices[0].extra for each in made] == [{"mine": each} for each in range(4)]
    assert [each.extra["provider"] for each in made] == [0, 1, 2, 3]


def test_what_cannot_be_copied_is_parsed() -> None:
    body = {**chunk("a"), "provider": {"name": "fake"}}
    _, pieces = both(b"".join(event(body) for _ in range(4)))
    assert not any(isinstance(each, tuple) for each in pieces)


def test_texts_are_seen_by_converters_of_others() -> None:
    converter = make_converter()
    read = converter.get_structure_hook(Delta)

    def shouting(value: Any, kind: Any) -> Any:
        delta = read(value, kind)
        delta.content = delta.content.upper()
        return delta

    converter = make_converter()
    converter.register_structure_hook(Delta, shouting)
    pieces = reader(converter=converter).read(b"".join(event(chunk(each)) for each in "abcd"))
    made = [*unfolded(pieces)]
    assert [each.text for each in made] == ["A", "B", "C", "D"]
    assert isinstance(made[0], ChatCompletionChunk)


def test_learning_stops_where_it_is_of_no_use() -> None:
    fast = reader()
    for number in range(50):
        fast.read(event({**chunk("a"), "id": f"{number}"}))
    assert fast.templates._learned < 10
