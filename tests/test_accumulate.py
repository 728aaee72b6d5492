from __future__ import annotations

import copy
import json
import sys
from collections import defaultdict
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orq_core._accumulate import Accumulator, chunks_of
from orq_core.models import (
    ChatCompletion,
    ChatCompletionChunk,
    make_converter,
    text_of,
    to_dict,
)
from tests.shared import SHARED, json_bodies, needs_shared, stream_chunks

CONVERTER = make_converter()


def chunk(body: dict[str, Any]) -> ChatCompletionChunk:
    return CONVERTER.structure(copy.deepcopy(body), ChatCompletionChunk)


def whole(body: dict[str, Any]) -> ChatCompletion:
    return CONVERTER.structure(copy.deepcopy(body), ChatCompletion)


def fold(*bodies: dict[str, Any]) -> ChatCompletion:
    accumulator = Accumulator()
    for body in bodies:
        accumulator.add(chunk(body))
    return accumulator.completion()


def of_deltas(*deltas: dict[str, Any]) -> dict[str, Any]:
    """Return the message that deltas of one choice make."""
    bodies = [{"choices": [{"index": 0, "delta": delta}]} for delta in deltas]
    return to_dict(fold(*bodies))["choices"][0]["message"]


def of_calls(*pieces: dict[str, Any]) -> list[dict[str, Any]]:
    return of_deltas(*({"tool_calls": [piece]} for piece in pieces))["tool_calls"]


def recorded_streams() -> dict[str, list[dict[str, Any]]]:
    streams: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for name, body in stream_chunks():
        streams[name].append(body)
    return dict(streams)


STREAMS = recorded_streams()
BODIES = {name: body for name, body in json_bodies() if "choices" in body}


def plain_fold(bodies: list[dict[str, Any]]) -> tuple[dict[Any, str], dict[Any, list[Any]], Any]:
    """Add up texts, tool calls and the usage without any of the code under test."""
    texts: dict[Any, str] = defaultdict(str)
    calls: dict[Any, list[list[str]]] = defaultdict(list)
    usage = None
    for body in bodies:
        usage = body.get("usage") or usage
        for choice in body.get("choices") or []:
            delta = choice.get("delta") or {}
            content = delta.get("content")
            if isinstance(content, list):
                content = "".join(part.get("text", "") for part in content)
            texts[choice.get("index")] += content or ""
            for piece in delta.get("tool_calls") or []:
                function = piece["function"]
                mine = calls[choice.get("index")]
                if function.get("name"):
                    mine.append([piece["id"], function["name"], ""])
                mine[-1 if piece.get("index") is None else place(mine, piece)][2] += function.get(
                    "arguments",
                    "",
                )
    return dict(texts), {key: value for key, value in calls.items() if value}, usage


def place(calls: list[Any], piece: dict[str, Any]) -> int:
    """Find the call of a piece: by its id, else it goes on with the latest of its index."""
    if piece.get("id"):
        return next(at for at, call in enumerate(calls) if call[0] == piece["id"])
    return min(piece["index"], len(calls) - 1)


@needs_shared
@pytest.mark.parametrize("name", STREAMS)
def test_every_recorded_stream_adds_up(name):
    bodies = STREAMS[name]
    completion = fold(*bodies)
    texts, calls, usage = plain_fold(bodies)
    assert completion.object == "chat.completion"
    assert {
        choice.index: choice.message and text_of(choice.message.content)
        for choice in completion.choices
    } == texts
    assert {
        choice.index: [
            [call.id, call.function.name, call.function.arguments or ""]
            for call in choice.message.tool_calls
        ]
        for choice in completion.choices
        if choice.message is not None and choice.message.tool_calls
    } == calls
    written = to_dict(completion)
    assert written.get("usage") == usage
    for field in ("reasoning", "reasoning_content", "refusal"):
        for choice in written["choices"]:
            pieces = [
                one["delta"].get(field) or ""
                for body in bodies
                for one in body.get("choices") or []
                if one.get("index") == choice.get("index") and one.get("delta")
            ]
            assert (choice["message"].get(field) or "") == "".join(pieces)
    for field in ("id", "model", "created"):
        expected = next((body[field] for body in bodies if body.get(field)), None)
        assert (written.get(field) or None) == expected


@needs_shared
@pytest.mark.parametrize("name", STREAMS)
def test_every_recorded_stream_says_why_it_ended(name):
    accumulator = Accumulator()
    assert not accumulator.finished
    for body in STREAMS[name]:
        accumulator.add(chunk(body))
    reasons = {
        choice["index"]: choice["finish_reason"]
        for body in STREAMS[name]
        for choice in body.get("choices") or []
        if choice.get("finish_reason")
    }
    completion = accumulator.completion()
    assert {c.index: c.finish_reason for c in completion.choices if c.finish_reason} == reasons
    assert accumulator.finished == (len(reasons) == accumulator.choices_seen > 0)


def assert_round_trip(body: dict[str, Any]) -> None:
    completion = whole(body)
    before = copy.deepcopy(completion)
    chunks = chunks_of(completion)
    accumulator = Accumulator()
    for each in chunks:
        accumulator.add(each)
    again = accumulator.completion()
    assert again == completion == before
    assert to_dict(again) == to_dict(completion) == body
    assert all(each.object == "chat.completion.chunk" for each in chunks)
    for each in chunks:
        written = json.loads(json.dumps(to_dict(each)))
        assert to_dict(chunk(written)) == written


@needs_shared
@pytest.mark.parametrize("name", BODIES)
def test_every_recorded_answer_survives_being_streamed(name):
    assert_round_trip(BODIES[name])


@needs_shared
@pytest.mark.parametrize(
    "name",
    sorted(path.name for path in SHARED.glob("contract/examples/res_*.json")),
)
def test_every_answer_of_the_contract_survives_being_streamed(name):
    body = json.loads((SHARED / "contract" / "examples" / name).read_bytes())
    assert_round_trip(body.get("body", body))


@pytest.mark.parametrize(
    "body",
    [
        {"choices": []},
        {"choices": [], "usage": {"total_tokens": 1}},
        {"object": "chat.completion", "choices": [], "usage": None, "id": None},
        {"choices": None},
        {"choices": [None, {"index": 0, "message": {"tool_calls": [{"index": 0}, 1]}}]},
        {"choices": "odd", "usage": "odd"},
        {"choices": [{"message": None}]},
        {"choices": [{"message": "odd", "logprobs": "odd"}]},
        {"choices": [{"message": {}}, {"message": {"content": ""}}]},
        {"choices": [{"index": 1, "message": {"content": None}}, {"index": 3, "message": {}}]},
        {"choices": [{"message": {"content": {"an": "object"}}}]},
        {"choices": [{"message": {"content": [{"type": "text", "text": "a"}, "b", None, {}]}}]},
        {
            "choices": [
                {"message": {"content": [{"type": "text", "text": t} for t in ("a", "b")]}},
            ],
        },
        {"choices": [{"message": {"content": 5, "refusal": 6, "annotations": 7}}]},
        {"choices": [{"message": {"tool_calls": []}}]},
        {"choices": [{"message": {"tool_calls": None, "thinking": "hm", "made_up": None}}]},
        {"choices": [{"message": {"tool_calls": [{"id": "", "function": {"name": "f"}}]}}]},
        {
            "choices": [
                {
                    "message": {
                        "tool_calls": [
                            {"function": {"name": "f", "arguments": "{}"}},
                            {"function": {"name": "f", "arguments": {"a": 1}}},
                            {"type": "custom", "id": "c", "custom": {"name": "g", "input": ""}},
                            {"index": 9, "id": "d", "function": None, "thought_signature": "s"},
                            {"id": "e", "function": {}, "extra_content": {"made": "up"}},
                        ],
                    },
                },
            ],
        },
        {
            "choices": [
                {
                    "finish_reason": "",
                    "logprobs": {"content": [], "refusal": None, "tokens": ["a"], "top": {}},
                    "message": {
                        "function_call": {"name": "f", "arguments": "{}", "made_up": 1},
                        "audio": {"id": "", "data": "AA==", "transcript": None, "expires_at": 0},
                        "reasoning_details": [{"type": "made.up"}],
                    },
                },
            ],
        },
    ],
)
def test_an_odd_answer_survives_being_streamed(body):
    assert_round_trip(body)


def test_a_usage_comes_last_and_alone():
    first, last = chunks_of(whole({"choices": [{"message": {}}], "usage": {"total_tokens": 1}}))
    assert first.usage is None
    assert to_dict(last)["choices"] == []
    assert last.usage.total_tokens == 1


def test_tool_calls_are_numbered_for_readers_of_streams():
    calls = [{"id": "a", "function": {"name": "f"}}, {"id": "b", "function": {"name": "g"}}]
    (only,) = chunks_of(whole({"choices": [{"message": {"tool_calls": calls}}]}))
    assert [call.index for call in only.choices[0].delta.tool_calls] == [0, 1]


def test_choices_come_interleaved():
    completion = fold(
        {"choices": [{"index": 1, "delta": {"content": "b"}}]},
        {"choices": [{"index": 0, "delta": {"content": "a"}}]},
        {
            "choices": [
                {"index": 0, "delta": {"content": "A"}, "finish_reason": "stop"},
                {"index": 1, "delta": {"content": "B"}, "finish_reason": "length"},
            ],
        },
    )
    assert [(c.index, c.message.content, c.finish_reason) for c in completion.choices] == [
        (0, "aA", "stop"),
        (1, "bB", "length"),
    ]


def test_choices_without_an_index_go_by_their_place():
    body = {"choices": [{"delta": {"content": "a"}}, {"delta": {"content": "b"}}]}
    assert [c.message.content for c in fold(body, body).choices] == ["aa", "bb"]


def test_a_whole_number_is_an_index_however_it_is_written():
    completion = fold(
        {"choices": [{"index": 0.0, "delta": {"content": "a"}}]},
        {"choices": [{"index": 1.0, "delta": {"content": "b"}}]},
        {"choices": [{"index": 1, "delta": {"content": "B"}}]},
        {"choices": [{"index": 0.0, "delta": {"content": "A"}}]},
    )
    assert [c.message.content for c in completion.choices] == ["aA", "bB"]
    calls = of_calls(
        {"index": 0.0, "id": "a", "function": {"name": "f", "arguments": "["}},
        {"index": 1.0, "id": "b", "function": {"name": "g", "arguments": "{"}},
        {"index": 0.0, "function": {"arguments": "]"}},
        {"index": 1, "function": {"arguments": "}"}},
    )
    assert [call["function"]["arguments"] for call in calls] == ["[]", "{}"]


def test_a_stream_is_finished_when_every_choice_is():
    accumulator = Accumulator()
    for index, reason, finished in [(0, None, False), (1, "stop", False), (0, "stop", True)]:
        accumulator.add(chunk({"choices": [{"index": index, "finish_reason": reason}]}))
        assert accumulator.finished is finished
    accumulator.add(chunk({"choices": [{"index": 0, "finish_reason": None}]}))
    assert accumulator.finished
    accumulator.add(chunk({"choices": [{"index": 0, "finish_reason": ""}]}))
    assert accumulator.finished
    assert accumulator.choices_seen == 2


def test_the_first_identity_and_the_last_of_everything_else_count():
    completion = fold(
        {"id": "", "created": 0, "model": "", "object": "", "usage": {"total_tokens": 1}},
        {"id": "a", "created": 5, "model": "m", "service_tier": "x", "made_up": [1]},
        {"id": "b", "created": 6, "model": "n", "usage": {"total_tokens": 2}, "made_up": [2]},
        {"usage": None, "service_tier": None, "system_fingerprint": "fp", "made_up": None},
    )
    assert to_dict(completion) == {
        "id": "a",
        "created": 5,
        "model": "m",
        "object": "chat.completion",
        "usage": {"total_tokens": 2},
        "service_tier": "x",
        "system_fingerprint": "fp",
        "made_up": [2],
    }


@pytest.mark.parametrize(
    ("pieces", "calls"),
    [
        pytest.param(
            [
                {"index": 0, "id": "a", "type": "function", "function": {"name": "f"}},
                {"index": 1, "id": "b", "type": "function", "function": {"name": "g"}},
                {"index": 0, "function": {"arguments": "{"}},
                {"index": 1, "function": {"arguments": "[]"}},
                {"index": 0, "function": {"arguments": "}"}},
            ],
            [("a", "f", "{}"), ("b", "g", "[]")],
            id="interleaved",
        ),
        pytest.param(
            [
                {"index": 1, "id": "a", "function": {"name": "f", "arguments": ""}},
                {"index": 1, "id": "", "function": {"name": "", "arguments": "{}"}},
                {"index": 1, "id": None, "function": {"name": None, "arguments": " "}},
            ],
            [("a", "f", "{} ")],
            id="first index 1, empty id and name",
        ),
        pytest.param(
            [
                {"index": 0, "id": "a", "function": {"name": "f", "arguments": "{}"}},
                {"index": 0, "id": "b", "function": {"name": "f", "arguments": "[]"}},
                {"index": 0, "function": {"arguments": " "}},
            ],
            [("a", "f", "{}"), ("b", "f", "[] ")],
            id="two calls under one index",
        ),
        pytest.param(
            [
                {"index": 0, "id": "a", "function": {"name": "f", "arguments": "{"}},
                {"index": 0, "id": "b", "function": {"arguments": "}"}},
            ],
            [("a", "f", "{}")],
            id="a new id with every piece",
        ),
        pytest.param(
            [
                {"index": 0, "id": "a", "function": {"name": "f", "arguments": "{"}},
                {"index": 0, "id": "a", "function": {"name": "f", "arguments": "}"}},
            ],
            [("a", "f", "{}")],
            id="id and name repeated",
        ),
        pytest.param(
            [
                {"index": 0, "function": {"name": "f", "arguments": "{}"}},
                {"index": 0, "function": {"name": "g", "arguments": "[]"}},
            ],
            [(None, "f", "{}"), (None, "g", "[]")],
            id="two calls under one index, no ids",
        ),
        pytest.param(
            [
                {"index": 0, "id": "a", "function": {"name": "get_"}},
                {"index": 0, "function": {"name": "time", "arguments": "{}"}},
            ],
            [("a", "get_time", "{}")],
            id="name in pieces",
        ),
        pytest.param(
            [
                {"index": 0, "id": "a", "function": {"name": "get_"}},
                {"index": 0, "function": {"name": "get_time"}},
            ],
            [("a", "get_time", None)],
            id="name that grows",
        ),
        pytest.param(
            [
                {"id": "a", "function": {"name": "f", "arguments": "{"}},
                {"id": "b", "function": {"name": "g", "arguments": "["}},
                {"id": "a", "function": {"arguments": "}"}},
                {"function": {"arguments": " "}},
            ],
            [("a", "f", "{}"), ("b", "g", "[ ")],
            id="no index",
        ),
        pytest.param(
            [
                {"function": {"name": "f", "arguments": "{}"}},
                {"function": {"name": "f", "arguments": "[]"}},
                {"function": {"arguments": " "}},
            ],
            [(None, "f", "{}"), (None, "f", "[] ")],
            id="neither index nor id",
        ),
        pytest.param([{"function": {"arguments": "{}"}}], [(None, None, "{}")], id="no name"),
        pytest.param(
            [
                {"index": 0, "id": "a", "function": {"name": "f"}},
                {"index": 0, "function": {"name": {"odd": 1}}},
                {"index": 0, "function": {"name": 5, "arguments": "{}"}},
            ],
            [("a", "f", "{}")],
            id="a name that is no string",
        ),
        pytest.param(
            [
                {"index": 0, "id": "a", "function": {"name": {"odd": 1}}},
                {"index": 0, "function": {"name": "f"}},
            ],
            [("a", {"odd": 1}, None)],
            id="a first name that is no string",
        ),
        pytest.param(
            [{"index": 0, "id": "a"}, {"index": 0, "function": {"name": "f"}}],
            [("a", "f", None)],
            id="function later",
        ),
        pytest.param(
            [{"index": 0, "function": {"name": "f", "arguments": {"a": 1}}}],
            [(None, "f", {"a": 1})],
            id="arguments as an object",
        ),
    ],
)
def test_tool_calls_come_in_every_fashion(pieces, calls):
    got = of_calls(*pieces)
    shape = [(c.get("id"), c["function"].get("name"), c["function"].get("arguments")) for c in got]
    assert shape == calls


def test_a_type_that_comes_late_or_again_is_kept_once():
    pieces = [{"index": 0, "type": ""}, {"index": 0, "type": "function"}, {"index": 0, "type": ""}]
    assert of_calls(*pieces) == [{"index": 0, "type": "function"}]


def test_the_input_of_a_custom_tool_grows():
    assert of_calls(
        {"index": 0, "id": "a", "type": "custom", "custom": {"name": "f", "input": "x"}},
        {"index": 0, "custom": {"name": "", "input": "y"}, "made_up": 1},
        {"index": 0, "id": "b", "type": "custom", "custom": {"name": "f"}},
    ) == [
        {
            "index": 0,
            "id": "a",
            "type": "custom",
            "custom": {"name": "f", "input": "xy"},
            "made_up": 1,
        },
        {"index": 0, "id": "b", "type": "custom", "custom": {"name": "f"}},
    ]


def test_a_function_call_of_the_old_kind_grows():
    assert of_deltas(
        {"function_call": {"name": "f", "arguments": ""}},
        {"function_call": {"arguments": "{"}},
        {"function_call": {"arguments": "}"}},
    ) == {"function_call": {"name": "f", "arguments": "{}"}}


def test_texts_lists_and_sound_grow_and_the_rest_is_replaced():
    assert of_deltas(
        {"role": "assistant", "content": "", "refusal": None, "reasoning": "a"},
        {"role": None, "content": "x", "reasoning": "b", "reasoning_details": [{"n": 1}]},
        {"role": "other", "reasoning_details": [{"n": 2}], "annotations": [{"n": 3}]},
        {"reasoning_signature": "s1", "thinking": "t", "channel": "c1", "name": "n"},
        {"reasoning_signature": "s2", "thinking": "u", "channel": "c2", "made_up": None},
        {"images": [{"n": 4}], "odd": {"n": 5}},
        {"images": [{"n": 6}], "odd": [7]},
        {"images": None, "odd": "last"},
        {"audio": {"id": "i", "data": "AAAA"}},
        {"audio": {"data": "BBBB", "transcript": "hel", "made_up": 1}},
        {"audio": {"transcript": "lo", "expires_at": 7}},
    ) == {
        "role": "assistant",
        "content": "x",
        "refusal": None,
        "reasoning": "ab",
        "reasoning_details": [{"n": 1}, {"n": 2}],
        "annotations": [{"n": 3}],
        "reasoning_signature": "s1s2",
        "thinking": "tu",
        "channel": "c2",
        "images": [{"n": 4}, {"n": 6}],
        "odd": "last",
        "made_up": None,
        "name": "n",
        "audio": {
            "id": "i",
            "data": "AAAABBBB",
            "transcript": "hello",
            "expires_at": 7,
            "made_up": 1,
        },
    }


@pytest.mark.parametrize(
    ("pieces", "content"),
    [
        (
            [
                [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}],
                [{"type": "thinking", "thinking": [{"type": "text", "text": "m"}], "closed": True}],
                "4",
                "",
                "2",
            ],
            [
                {
                    "type": "thinking",
                    "thinking": [{"type": "text", "text": "hmm"}],
                    "closed": True,
                },
                {"type": "text", "text": "42"},
            ],
        ),
        (
            ["a", [{"type": "text", "text": "b"}, {"type": "text", "text": "c"}]],
            [{"type": "text", "text": "ab"}, {"type": "text", "text": "c"}],
        ),
        (
            ["", [{"type": "image", "url": "made-up"}], [{"type": "image", "url": "other"}]],
            [{"type": "image", "url": "made-up"}, {"type": "image", "url": "other"}],
        ),
        (
            [
                [{"type": "text", "index": 0, "text": "a"}],
                [{"type": "text", "index": 1, "text": "b"}],
            ],
            [{"type": "text", "index": 0, "text": "a"}, {"type": "text", "index": 1, "text": "b"}],
        ),
        ([[{"type": "text", "text": "a"}], ["b"]], [{"type": "text", "text": "a"}, "b"]),
        ([{"an": "object"}, {"an": "other"}], {"an": "other"}),
        ([[{"type": "text", "text": "a"}], 5], [{"type": "text", "text": "a"}]),
        ([{"an": "object"}, ""], {"an": "object"}),
    ],
)
def test_content_comes_as_parts_too(pieces, content):
    assert of_deltas(*({"content": piece} for piece in pieces))["content"] == content


def test_parts_within_parts_are_taken_however_deep():
    content: Any = "x"
    for _ in range(300):
        content = [{"type": "thinking", "thinking": content}]
    body = {"choices": [{"index": 0, "delta": {"content": content}}]}
    accumulator = Accumulator()
    accumulator.add(CONVERTER.structure(body, ChatCompletionChunk))
    again = accumulator.completion().choices[0].message.content
    assert json.dumps(again) == json.dumps(content)


@pytest.mark.parametrize(
    ("pieces", "text"),
    [
        (["a\ud83d", "\ude00b"], "a😀b"),
        (["\ud83d", "\ude00", "\ud83d", "", "\ude01"], "😀😁"),
        (["ä", "\ude00", "\ud83d"], "ä\ude00\ud83d"),
        (["\ud83d", "\ud83d", "\ude00", "日"], "\ud83d😀日"),
    ],
)
def test_a_character_cut_between_chunks_is_whole_again(pieces, text):
    message = of_deltas(*({"content": piece, "reasoning": piece} for piece in pieces))
    assert message == {"content": text, "reasoning": text}
    calls = of_calls(*({"index": 0, "function": {"arguments": piece}} for piece in pieces))
    assert calls[0]["function"]["arguments"] == text
    accumulator = Accumulator()
    texts = []
    for piece in pieces:
        accumulator.add(chunk({"choices": [{"index": 0, "delta": {"content": piece}}]}))
        texts.append(accumulator.completion().text)
    assert texts[-1] == text


def test_an_item_of_an_unknown_list_may_come_again_with_more_in_it():
    first, second = {"index": 0, "type": "search"}, {"index": 1, "type": "run", "code": "1+1"}
    assert of_deltas(
        {"executed_tools": [first]},
        {"executed_tools": [{**first, "output": "found"}]},
        {"executed_tools": [second]},
        {"executed_tools": [{"index": 1, "output": "2"}, "odd", {"index": "odd"}, {"index": 2}]},
    )["executed_tools"] == [
        {**first, "output": "found"},
        {**second, "output": "2"},
        "odd",
        {"index": "odd"},
        {"index": 2},
    ]
    assert first == {"index": 0, "type": "search"}
    pictures = [{"index": 0, "u": 1}], [{"index": 0, "u": 2}]
    message = of_deltas(*({"images": each} for each in pictures))
    assert message == {"images": [*pictures[0], *pictures[1]]}


def test_a_null_in_a_list_hides_nothing_beside_it():
    completion = fold(
        {"choices": [None, {"index": 0, "delta": {"content": "a"}}]},
        {"choices": [{"index": 0, "delta": {"content": "b", "tool_calls": [None, {"id": "t"}]}}]},
        {"choices": [{"index": 0, "delta": {"content": "c"}}, "odd"]},
    )
    assert to_dict(completion)["choices"] == [
        {"index": 0, "message": {"content": "abc", "tool_calls": [None, {"id": "t"}]}},
    ]


def test_logprobs_grow():
    def logprobs(**fields: Any) -> dict[str, Any]:
        return {"choices": [{"index": 0, "logprobs": fields}]}

    completion = fold(
        logprobs(content=[{"token": "a"}], refusal=None, tokens=["a"], kind="x"),
        {"choices": [{"index": 0, "logprobs": None}]},
        logprobs(content=[{"token": "b"}], refusal=[{"token": "c"}], tokens=["b"], kind=None),
    )
    assert to_dict(completion)["choices"][0]["logprobs"] == {
        "content": [{"token": "a"}, {"token": "b"}],
        "refusal": [{"token": "c"}],
        "tokens": ["a", "b"],
        "kind": "x",
    }


@pytest.mark.parametrize(
    ("contents", "text"),
    [
        (["a", "ab", "abc"], "abc"),
        (["a", "b", "c"], "abc"),
        (["abc", ""], "abc"),
        (["a", None], ""),
    ],
)
def test_a_message_in_place_of_deltas_repeats_or_goes_on(contents, text):
    completion = fold(
        *(
            {"choices": [{"index": 0, "delta": {"role": "assistant"}, "message": {"content": c}}]}
            for c in contents
        ),
    )
    assert completion.text == text
    assert completion.choices[0].extra == {}


def test_a_message_beside_deltas_is_left_out():
    completion = fold(
        {"choices": [{"delta": {"content": "a"}, "message": {"content": "a"}}]},
        {"choices": [{"delta": {"content": "b"}, "message": {"content": "ab"}}]},
    )
    assert to_dict(completion)["choices"] == [{"message": {"content": "ab"}}]


def test_a_message_beside_deltas_with_tool_calls_is_left_out():
    calls = [{"index": 0, "id": "a", "function": {"name": "f", "arguments": "{}"}}]
    completion = fold({"choices": [{"delta": {"tool_calls": calls}, "message": {"content": "a"}}]})
    assert to_dict(completion)["choices"] == [{"message": {"tool_calls": calls}}]


def test_what_was_handed_out_does_not_change_with_later_chunks():
    accumulator = Accumulator()
    delta = {"content": "a", "images": [1]}
    accumulator.add(chunk({"made_up": 1, "choices": [{"index": 0, "delta": delta}]}))
    first = accumulator.completion()
    kept = copy.deepcopy(first)
    first.extra["mine"] = 1
    first.choices[0].message.extra["mine"] = 1
    first.choices[0].message.extra["images"].append("mine")
    later = {"content": "b", "images": [2]}
    for body in [{"made_up": 2}, {"choices": [{"index": 0, "delta": later}]}]:
        accumulator.add(chunk(body))
    second = accumulator.completion()
    assert kept.text == "a"
    assert second.text == "ab"
    assert second.extra == {"made_up": 2}
    assert kept.choices[0].message.extra == {"images": [1]}
    assert second.choices[0].message.extra == {"images": [1, 2]}
    assert accumulator.completion() == second


def test_an_accumulator_without_chunks_has_an_empty_completion():
    completion = Accumulator().completion()
    assert (completion.choices, completion.text, completion.usage) == ([], "", None)
    assert to_dict(completion) == {"choices": []}


def steps(chunks: list[ChatCompletionChunk]) -> int:
    count = 0

    def trace(frame, kind, argument):
        nonlocal count
        count += 1
        return trace

    accumulator = Accumulator()
    before = sys.gettrace()
    sys.settrace(trace)
    try:
        for each in chunks:
            accumulator.add(each)
        accumulator.completion()
    finally:
        sys.settrace(before)
    return count


@pytest.mark.parametrize(
    "delta",
    [
        {"content": "x"},
        {"content": [{"type": "text", "text": "x"}]},
        {"reasoning_details": [{"n": 1}]},
        {"made_up": [{"index": 0}, 1]},
        {"tool_calls": [{"index": 0, "id": "a", "function": {"arguments": "x"}}]},
        {"tool_calls": [{"function": {"arguments": "x"}}]},
    ],
)
def test_work_grows_with_the_chunks_and_not_faster(delta):
    one = chunk({"choices": [{"index": 0, "delta": delta}]})
    assert steps([one] * 400) < 2.1 * steps([one] * 200)


NAMES = [
    *("choices", "delta", "message", "index", "content", "tool_calls", "function", "id", "name"),
    *("arguments", "custom", "input", "logprobs", "audio", "data", "type", "extra", "usage"),
    *("finish_reason", "reasoning", "annotations", "text"),
]
pieces = st.recursive(
    st.none() | st.booleans() | st.integers(-1, 2) | st.sampled_from(["", "a", "text"]),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(
                NAMES,
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=15,
)
odd_calls = st.lists(
    st.fixed_dictionaries(
        {"function": st.fixed_dictionaries({"name": pieces, "arguments": pieces})},
        optional={"index": pieces, "id": pieces, "type": pieces, "custom": pieces},
    ),
    max_size=2,
)
odd_deltas = st.fixed_dictionaries(
    {
        "choices": st.lists(
            st.fixed_dictionaries(
                {
                    "index": st.integers(0, 1),
                    "delta": pieces | st.fixed_dictionaries({"tool_calls": odd_calls}),
                    "message": pieces,
                },
            ),
            max_size=2,
        ),
    },
)


@settings(max_examples=150, deadline=None)
@given(st.lists(odd_deltas, max_size=4))
def test_anything_adds_up_to_something_that_can_be_written(bodies):
    completion = fold(*bodies)
    json.dumps(to_dict(completion))
    accumulator = Accumulator()
    for each in chunks_of(completion):
        accumulator.add(each)
    accumulator.completion()
