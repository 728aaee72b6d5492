"""Answers: everything recorded comes back as it came, and reads as models."""

from __future__ import annotations

import copy
import json
import pickle

import attrs
import pytest
from cattrs import Converter

from orq_core import to_dict
from orq_core.models import (
    ChatCompletion,
    ChatCompletionChunk,
    Choice,
    Logprobs,
    Message,
    TokenLogprob,
    ToolCall,
    Usage,
    make_converter,
    text_of,
)
from orq_core.models.base import Answer
from tests.shared import contract, json_bodies, needs_shared, stream_chunks

CONVERTER = make_converter()


def same(left: object, right: object) -> bool:
    """Compare as JSON text: 1 is not 1.0 there."""
    return json.dumps(left, sort_keys=True) == json.dumps(right, sort_keys=True)


def check_models(value: object) -> None:
    """Nested attributes are models, lists of models, or None."""
    assert isinstance(value, Answer)
    for attribute in attrs.fields(type(value)):
        inner = getattr(value, attribute.name)
        if attribute.name in {"usage", "logprobs", "message", "delta", "function", "audio"}:
            assert inner is None or isinstance(inner, Answer)
        if isinstance(inner, Answer):
            check_models(inner)
        if attribute.name in {"choices", "tool_calls"}:
            for each in inner or []:
                check_models(each)


@needs_shared
def test_every_recorded_completion_comes_back_equal():
    bodies = json_bodies()
    assert len(bodies) > 100
    for name, body in bodies:
        completion = CONVERTER.structure(copy.deepcopy(body), ChatCompletion)
        assert same(to_dict(completion), body), name
        check_models(completion)


@needs_shared
def test_every_recorded_chunk_comes_back_equal():
    chunks = stream_chunks()
    assert len(chunks) > 10_000
    for name, body in chunks:
        chunk = CONVERTER.structure(body, ChatCompletionChunk)
        assert same(to_dict(chunk), body), name
        check_models(chunk)


@needs_shared
def test_every_example_of_the_contract_comes_back_equal():
    names = [each["file"] for each in contract("examples/index.json")]
    examples = [name for name in names if name.startswith("res_")]
    assert examples
    for name in examples:
        body = contract(f"examples/{name}")
        assert same(to_dict(CONVERTER.structure(body, ChatCompletion)), body), name


def test_known_fields_are_attributes():
    completion = CONVERTER.structure(
        {
            "id": "c1",
            "model": "fake/model",
            "choices": [
                {
                    "index": 0,
                    "finish_reason": "a_new_reason",
                    "message": {
                        "role": "assistant",
                        "content": "hi",
                        "tool_calls": [{"id": "t", "function": {"name": "f", "arguments": "{}"}}],
                        "audio": {"id": "a", "transcript": "hi"},
                    },
                    "logprobs": {"content": [{"token": "hi", "top_logprobs": [{"token": "x"}]}]},
                },
            ],
            "usage": {"prompt_tokens": 3, "cost": 0.5, "prompt_tokens_details": {}},
        },
        ChatCompletion,
    )
    choice = completion.choices[0]
    assert (completion.text, completion.data, choice.finish_reason) == (
        "hi",
        completion,
        "a_new_reason",
    )
    assert choice.message is not None
    assert choice.message.tool_calls is not None
    assert choice.message.tool_calls[0].function is not None
    assert choice.message.tool_calls[0].function.name == "f"
    assert choice.message.audio is not None
    assert choice.message.audio.transcript == "hi"
    assert isinstance(choice.logprobs, Logprobs)
    assert choice.logprobs.content is not None
    assert choice.logprobs.content[0].top_logprobs is not None
    assert choice.logprobs.content[0].top_logprobs[0].token == "x"
    assert completion.usage is not None
    assert completion.usage.prompt_tokens == 3
    assert completion.usage.extra == {"cost": 0.5}
    assert list(completion) == [completion]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"choices": []},
        {"choices": None},
        {"choices": {"0": {}}},
        {"choices": "none"},
        {"choices": [None]},
        {"choices": [{"index": 0}, "odd"]},
        {"choices": [None, {"index": 0, "message": {"content": "a"}}, "odd", {"index": 1}]},
        {"choices": [{"message": {"tool_calls": [None, {"id": "t"}]}}]},
        {
            "choices": [
                {"delta": {"tool_calls": [{"id": "t"}, 3]}, "logprobs": {"content": [{}, 1]}}
            ]
        },
        {"choices": [[]]},
        {"choices": [{}]},
        {"choices": [{"message": "text"}]},
        {"choices": [{"message": {"tool_calls": []}}]},
        {"choices": [{"message": {"tool_calls": {}}}]},
        {"choices": [{"message": {"tool_calls": [3]}}]},
        {"choices": [{"message": {"tool_calls": [{"function": None}, {"function": "f"}]}}]},
        {"choices": [{"message": {"audio": [], "content": [{"type": "text", "text": "a"}]}}]},
        {"choices": [{"logprobs": {"content": [], "refusal": None}}]},
        {"choices": [{"logprobs": [1, 2]}]},
        {"usage": "3 tokens"},
        {"usage": []},
        {"usage": {"prompt_tokens": None, "total_tokens": "7", "prompt_tokens_details": 0}},
        {"id": 5, "created": "now", "model": ["a"], "object": False, "system_fingerprint": {}},
        {"extra": {"a": 1}, "info": 2, "_given": 3, "data": 4, "text": 5, "": 6},
        {"created": 1.0, "x": 1, "y": 10**30, "z": "\ud800"},
    ],
)
@pytest.mark.parametrize("kind", [ChatCompletion, ChatCompletionChunk])
def test_any_object_is_read_and_comes_back_equal(kind, body):
    answer = CONVERTER.structure(copy.deepcopy(body), kind)
    assert same(to_dict(answer), body)
    assert isinstance(answer.choices, list)
    assert isinstance(answer.text, str)
    check_models(answer)


def test_what_can_be_read_of_a_list_is_read():
    body = {
        "choices": [
            None,
            {"index": 0, "message": {"content": "a", "tool_calls": [{"id": "t"}, None]}},
            {"index": 1, "message": {"content": "b"}},
        ],
    }
    completion = CONVERTER.structure(copy.deepcopy(body), ChatCompletion)
    assert [choice.message.content for choice in completion.choices] == ["a", "b"]
    assert completion.choices[0].message.tool_calls == [ToolCall(id="t")]
    assert to_dict(completion) == body


def test_a_list_that_was_partly_read_is_written_as_it_is_now():
    body = {"tool_calls": [{"id": "t"}, None]}
    changes = [([], []), (None, None), ([ToolCall(id="u")], [{"id": "u"}])]
    for calls, written in changes:
        message = CONVERTER.structure(copy.deepcopy(body), Message)
        message.tool_calls = calls
        assert to_dict(message).get("tool_calls") == written
    message = CONVERTER.structure(copy.deepcopy(body), Message)
    message.tool_calls[0].id = "u"
    assert to_dict(message) == {"tool_calls": [{"id": "u"}]}
    completion = CONVERTER.structure({"choices": [{"index": 0}, None]}, ChatCompletion)
    completion.choices.clear()
    assert to_dict(completion) == {"choices": []}


@pytest.mark.parametrize("body", [None, "x", 3, [], [{}]])
def test_what_is_no_object_is_refused(body):
    with pytest.raises(TypeError, match="ChatCompletion: expected an object"):
        CONVERTER.structure(body, ChatCompletion)


def test_null_absent_and_a_value_are_three_things():
    for body in ({}, {"content": None}, {"content": ""}):
        assert to_dict(CONVERTER.structure(body, Message)) == body


def test_a_changed_field_is_written_as_it_is_now():
    body = {"content": None, "refusal": "no", "tool_calls": {"odd": 1}, "audio": {"id": "a"}}
    message = CONVERTER.structure(body, Message)
    message.content = "yes"
    message.refusal = None
    message.tool_calls = [ToolCall(id="t")]
    assert to_dict(message) == {"content": "yes", "tool_calls": [{"id": "t"}], "audio": {"id": "a"}}


def test_choices_are_always_written_once_they_were_there():
    assert to_dict(ChatCompletion(id="c")) == {"id": "c", "choices": []}
    assert to_dict(ChatCompletionChunk()) == {"choices": []}
    chunk = CONVERTER.structure({"choices": [{"index": 0}]}, ChatCompletionChunk)
    assert to_dict(attrs.evolve(chunk, choices=[])) == {"choices": []}


def test_evolving_copying_and_pickling_keep_what_was_null():
    body = {"id": "c", "choices": [{"message": {"content": None}, "logprobs": None}], "usage": None}
    completion = CONVERTER.structure(body, ChatCompletion)
    for other in (
        attrs.evolve(completion),
        copy.copy(completion),
        copy.deepcopy(completion),
        pickle.loads(pickle.dumps(completion)),
    ):
        assert other == completion
        assert to_dict(other) == body


def test_info_is_neither_written_nor_compared_nor_shown():
    completion = ChatCompletion(id="c")
    completion.info = "what is known of the call"  # type: ignore[assignment]
    assert completion == ChatCompletion(id="c")
    assert "info" not in repr(completion)
    assert "info" not in to_dict(completion)


def test_models_made_by_hand_are_written():
    completion = ChatCompletion(
        choices=[Choice(index=0, message=Message(content="hi", extra={"mood": "fine"}))],
        usage=Usage(total_tokens=3),
        extra={"provider": "fake"},
    )
    assert to_dict(completion) == {
        "choices": [{"index": 0, "message": {"content": "hi", "mood": "fine"}}],
        "usage": {"total_tokens": 3},
        "provider": "fake",
    }


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (None, ""),
        ("hi", "hi"),
        ([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}], "ab"),
        ([{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}], ""),
        ([{"type": "text", "text": None}, "c", 3], ""),
        ({"name": "Ada", "age": 36}, ""),
    ],
)
def test_the_text_of_any_content(content, text):
    assert text_of(content) == text
    body = {"choices": [{"delta": {"content": content}, "message": {"content": content}}]}
    assert CONVERTER.structure(body, ChatCompletion).text == text
    assert CONVERTER.structure(body, ChatCompletionChunk).text == text


def test_a_chunk_is_its_own_data():
    chunk = ChatCompletionChunk(id="c")
    assert chunk.data is chunk
    assert chunk.text == ""


def test_a_model_is_taken_as_it_is():
    usage = Usage(total_tokens=1)
    assert CONVERTER.structure(usage, Usage) is usage


@attrs.define(kw_only=True)
class PricedUsage(Usage):
    cost: float | None = None


def test_a_plugin_may_teach_its_own_model():
    converter = make_converter()
    read = converter.get_structure_hook(PricedUsage)
    converter.register_structure_hook(Usage, lambda value, _: read(value, PricedUsage))
    body = {"choices": [], "usage": {"total_tokens": 1, "cost": 0.5}}
    completion = converter.structure(body, ChatCompletion)
    assert completion.usage == PricedUsage(total_tokens=1, cost=0.5)
    assert to_dict(completion) == converter.unstructure(completion) == body


def test_log_probabilities_are_read_when_they_are_asked_for() -> None:
    tokens = [{"token": "a", "logprob": -1.0, "bytes": None, "top_logprobs": []}]
    choice = {"index": 0, "message": {"role": "assistant"}, "logprobs": {"content": tokens}}
    payload = {"choices": [choice]}

    def read(converter: Converter) -> Choice:
        return converter.structure(payload, ChatCompletion).choices[0]

    converter = make_converter()
    assert read(converter)._later is not None
    for use in (
        lambda each: each,
        copy.copy,
        copy.deepcopy,
        attrs.evolve,
        lambda x: pickle.loads(pickle.dumps(x)),
    ):
        used = use(read(converter))
        assert isinstance(used.logprobs, Logprobs)
        assert used.logprobs is used.logprobs
        assert used._later is None
        assert used == read(converter)
        assert to_dict(used) == choice
    for wrong in ("none", ["x"], 3):
        payload["choices"][0] = {**choice, "logprobs": wrong}
        assert read(converter).logprobs is None
        assert read(converter).extra == {"logprobs": wrong}
    payload["choices"][0] = choice
    with pytest.raises(AttributeError, match="no_such_field"):
        _ = read(converter).no_such_field
    # A hook of somebody's may fail, and must do so when the answer is read.
    converter.register_structure_hook(TokenLogprob, lambda value, _: TokenLogprob(token="mine"))
    assert read(converter)._later is None


def test_what_was_set_before_it_was_read_is_copied_and_pickled() -> None:
    body = {"choices": [{"index": 0, "logprobs": {"content": []}}], "usage": {"total_tokens": 1}}
    for use in (copy.copy, copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))):
        completion = CONVERTER.structure(body, ChatCompletion)
        completion.usage = Usage(total_tokens=2)
        completion.choices[0].logprobs = None
        used = use(completion)
        assert used == completion
        assert to_dict(used) == {"choices": [{"index": 0}], "usage": {"total_tokens": 2}}
        assert used._later is None
