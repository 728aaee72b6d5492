"""Requests: what is accepted, and that it is sent as it was given."""

from __future__ import annotations

import copy
import json
from collections import UserDict
from dataclasses import dataclass
from enum import Enum, IntEnum
from types import MappingProxyType
from typing import Literal

import attrs
import jsonschema
import pydantic
import pytest

from orq_core import UNSET, ConfigurationError, RequestError, to_dict
from orq_core.models import (
    AssistantMessage,
    CacheControl,
    ChatCompletion,
    ChatCompletionRequest,
    Function,
    ImagePart,
    Message,
    OtherMessage,
    OtherPart,
    RouterCache,
    TextPart,
    Tool,
    UserMessage,
    build_request,
    make_converter,
    unstructure_request,
)
from tests.shared import contract, exchanges, json_bodies, needs_shared

CONVERTER = make_converter()
USER = {"role": "user", "content": "hi"}


def sent(request=None, extra_body=None, **fields):
    built = build_request(CONVERTER, request, fields, extra_body)
    return unstructure_request(CONVERTER, built)


def sent_message(message):
    return sent(model="m", messages=[message])["messages"][0]


def same(left: object, right: object) -> bool:
    return json.dumps(left, sort_keys=True) == json.dumps(right, sort_keys=True)


def validator(definition: str) -> jsonschema.Draft202012Validator:
    schema = contract("chat_completions.schema.json")
    return jsonschema.Draft202012Validator({**schema, "$ref": f"#/$defs/{definition}"})


@needs_shared
def test_every_recorded_request_is_sent_as_it_was():
    seen = 0
    for exchange in exchanges():
        body = exchange.request
        if isinstance(body, dict):
            before = copy.deepcopy(body)
            assert same(sent(body), body), exchange.name
            assert body == before
            # Two servers take the model from elsewhere: from the path, from a list.
            whole = {"model": "fake/model", **body}
            assert same(sent(None, **known(whole), extra_body=unknown(whole)), whole), exchange.name
            seen += 1
    assert seen > 250


def known(body):
    names = {attribute.name for attribute in attrs.fields(ChatCompletionRequest)}
    return {name: value for name, value in body.items() if name in names}


def unknown(body):
    return {name: value for name, value in body.items() if name not in known(body)}


@needs_shared
def test_every_example_of_the_contract_is_sent_as_it_is_and_valid():
    seen = 0
    for example in contract("examples/index.json"):
        if example["file"].startswith("req_"):
            body = contract(f"examples/{example['file']}")
            written = sent(body)
            assert same(written, body), example["file"]
            validator(example["def"]).validate(written)
            seen += 1
    assert seen >= 18


@needs_shared
def test_every_recorded_answer_may_be_sent_back():
    valid = validator("AssistantMessage")
    seen = 0
    for name, body in json_bodies():
        for choice in CONVERTER.structure(body, ChatCompletion).choices:
            assert choice.message is not None
            written = sent(model="m", messages=[USER, choice.message])["messages"][1]
            assert written["role"] == "assistant", name
            # Parts and tools that the contract doesn't know are sent all the same.
            plain = isinstance(written.get("content"), (str, type(None)))
            if plain and not any("custom" in call for call in written.get("tool_calls", [])):
                valid.validate(written)
                seen += 1
    assert seen > 100


def test_an_answer_is_sent_back_without_what_requests_may_not_have():
    body = {
        "content": None,
        "refusal": None,
        "tool_calls": None,
        "function_call": None,
        "reasoning_content": "hm",
        "audio": {"id": "a1", "data": "AAAA", "expires_at": 5, "transcript": "hi"},
        "mood": "fine",
    }
    message = CONVERTER.structure(body, Message)
    assert sent_message(message) == {
        "role": "assistant",
        "content": None,
        "refusal": None,
        "reasoning_content": "hm",
        "audio": {"id": "a1"},
        "mood": "fine",
    }
    assert to_dict(message) == body


def test_odd_answers_become_plain_messages():
    for nothing in ([], [None]):
        body = {"content": {"age": 36}, "tool_calls": nothing}
        message = CONVERTER.structure(body, Message)
        assert sent_message(message) == {"role": "assistant", "content": '{"age":36}'}
    body = {"tool_calls": [{"id": "t", "function": {"name": "f"}}, {"id": "u", "type": "custom"}]}
    message = CONVERTER.structure(body, Message)
    assert sent_message(message)["tool_calls"] == [
        {"id": "t", "type": "function", "function": {"name": "f"}},
        {"id": "u", "type": "custom"},
    ]


@pytest.mark.parametrize(
    ("answered", "written"),
    [
        (
            {"type": "function", "function": {"name": "f", "arguments": None}},
            {"type": "function", "function": {"name": "f", "arguments": "{}"}},
        ),
        (
            {"id": None, "type": None, "function": {"name": None, "arguments": {"a": [1]}}},
            {"type": "function", "function": {"arguments": '{"a":[1]}'}},
        ),
        (
            {"function": {"name": "f", "arguments": ["ä"]}},
            {"type": "function", "function": {"name": "f", "arguments": '["ä"]'}},
        ),
        (
            {"type": "custom", "function": None, "custom": {"name": "c", "input": ""}},
            {"type": "custom", "custom": {"name": "c", "input": ""}},
        ),
        ({"type": "custom", "custom": None}, {"type": "custom"}),
        (
            {"index": 0, "id": "t", "function": {"name": "f", "arguments": "{}"}},
            {"type": "function", "id": "t", "function": {"name": "f", "arguments": "{}"}},
        ),
    ],
)
def test_odd_calls_are_sent_back_as_requests_take_them(answered, written):
    body = {"content": None, "tool_calls": [answered]}
    message = CONVERTER.structure(body, Message)
    assert sent_message(message)["tool_calls"] == [written]
    assert to_dict(message) == body


@pytest.mark.parametrize(
    ("answered", "written"),
    [
        ([{"type": "text", "text": None}], None),
        (
            [{"type": "text", "text": "a", "annotations": None}, None, "b"],
            [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}],
        ),
        (
            [{"type": "reasoning", "reasoning": "hm", "signature": None}],
            [{"type": "reasoning", "reasoning": "hm"}],
        ),
        ([{"type": "video", "id": 1}], [{"type": "video", "id": 1}]),
        (5, "5"),
        ("", ""),
    ],
)
def test_odd_contents_are_sent_back_as_requests_take_them(answered, written):
    message = CONVERTER.structure({"content": answered}, Message)
    assert sent_message(message) == {"role": "assistant", "content": written}


def test_no_defaults_are_sent_and_numbers_keep_their_type():
    body = {
        "model": "m",
        "messages": [],
        "seed": 5,
        "temperature": 1,
        "top_p": 1.0,
        "n": 10**25,
        "retry": {"count": 3},
        "cache": {"type": "exact_match"},
        "tools": [{"function": {"name": "f"}}],
        "tool_choice": {"function": {"name": "f"}},
        "load_balancer": {"type": "weight_based", "models": [{"model": "m"}]},
    }
    assert same(sent(body), body)


def test_none_is_null_and_unset_is_absent():
    body = sent(model="m", messages=[], temperature=None, seed=UNSET, stop=None)
    assert body == {"model": "m", "messages": [], "temperature": None, "stop": None}
    assert sent({"model": "m", "messages": [], "n": UNSET, "odd": UNSET}) == {
        "model": "m",
        "messages": [],
    }


def test_unset_is_falsy_and_itself():
    assert not UNSET
    assert repr(UNSET) == "UNSET"
    assert copy.deepcopy(UNSET) is UNSET


def test_unknown_keys_pass_at_every_depth():
    body = {
        "model": "m",
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": "a", "x": [1]}], "y": {}},
            {"role": "narrator", "content": 5, "mood": None},
            {"role": "user", "content": [{"type": "video_url", "video_url": {"url": "u"}}]},
        ],
        "tools": [{"type": "custom", "custom": {"name": "c"}}],
        "extra": {"a": 1},
        "user": "u",
    }
    assert same(sent(body), body)
    built = build_request(CONVERTER, body)
    assert isinstance(built.messages, list)
    assert isinstance(built.messages[1], OtherMessage)
    assert isinstance(built.messages[2], UserMessage)
    assert isinstance(built.messages[2].content, list)
    assert isinstance(built.messages[2].content[0], OtherPart)
    assert built.extra == {"extra": {"a": 1}, "user": "u"}


class Role(str, Enum):
    USER = "user"


class Kind(Enum):
    TEXT = "text"


class Count(IntEnum):
    TWO = 2


class Name(str):
    __slots__ = ()

    def __str__(self) -> str:
        return "something else"


class Pydantic:
    """Quacks like a model of pydantic, iteration included."""

    def __init__(self, **fields):
        self.fields = fields

    def __iter__(self):
        return iter(self.fields.items())

    def model_dump(self, *, by_alias, exclude_unset=False):
        assert by_alias
        return self.fields


class Fn(pydantic.BaseModel):
    name: str
    description: str | None = None
    strict: bool | None = None


class FnTool(pydantic.BaseModel):
    type: str = "function"
    function: Fn


class UserTurn(pydantic.BaseModel):
    role: Literal["user"] = "user"
    content: str
    name: str | None = None


class File(pydantic.BaseModel):
    mime: str = pydantic.Field(serialization_alias="mimeType")


class Listed(pydantic.RootModel[list[int]]):
    pass


@dataclass
class Schema:
    type: str
    properties: dict[str, object]


@attrs.define
class Foreign:
    type: str
    text: str


@pytest.mark.parametrize(
    "message",
    [
        UserMessage(content=[TextPart(text="hi")]),
        UserMessage(content=[{"type": "text", "text": "hi"}]),  # type: ignore[list-item]
        {"role": "user", "content": ({"type": "text", "text": "hi"},)},
        {"role": "user", "content": (part for part in [TextPart(text="hi")])},
        {"role": Role.USER, "content": [{"type": Kind.TEXT, "text": Name("hi")}]},
        MappingProxyType({"role": "user", "content": [UserDict(type="text", text="hi")]}),
        {"role": "user", "content": [Foreign("text", "hi")]},
        Pydantic(role="user", content=[Pydantic(type="text", text="hi")]),
    ],
)
def test_messages_in_many_guises(message):
    written = sent_message(message)
    assert written == {"role": "user", "content": [{"type": "text", "text": "hi"}]}
    assert type(written["role"]) is type(written["content"][0]["text"]) is str


def test_what_a_pydantic_class_says_by_default_is_sent_and_its_unset_nulls_are_not():
    body = sent(
        model="m",
        messages=[
            UserTurn(content="hi"),
            UserTurn(content="hi", name=None),
            {"role": "user", "content": [{"type": "file", "file": File(mime="text/plain")}]},
        ],
        tools=[FnTool(function=Fn(name="f", strict=None))],
        variables={"list": {"tools": [FnTool(function=Fn(name="g"))]}},
    )
    assert body["messages"] == [
        USER,
        {**USER, "name": None},
        {"role": "user", "content": [{"type": "file", "file": {"mimeType": "text/plain"}}]},
    ]
    assert body["tools"] == [{"type": "function", "function": {"name": "f", "strict": None}}]
    assert body["variables"]["list"]["tools"] == [{"type": "function", "function": {"name": "g"}}]


def test_a_pydantic_class_that_is_no_object_is_refused():
    with pytest.raises(RequestError, match=r"metadata: expected an object, got Listed"):
        sent(model="m", messages=[], metadata=Listed([1]))


def test_values_in_many_guises():
    body = sent(
        model=Name("m"),
        messages=iter([USER]),
        n=Count.TWO,
        stop=("a", "b"),
        modalities={"text": 1}.keys(),
        cache=RouterCache(ttl=60),
        metadata=MappingProxyType({"tier": Role.USER}),
        variables={
            "a": (1, Kind.TEXT),
            "b": Pydantic(c=Name("d")),
            "c": UserDict(e=Foreign("f", "g")),
        },
        tools=[
            Tool(function=Function(name="f", parameters=Schema("object", {}))),  # type: ignore[arg-type]
            {"function": {"name": "g", "parameters": {"required": ("a",)}}},
        ],
        extra_body={"x": Count.TWO, "y": TextPart(text="t"), "z": Message(content="c")},
    )
    assert body["model"] == "m"
    assert body["messages"] == [USER]
    assert type(body["n"]) is int
    assert body["stop"] == ["a", "b"]
    assert body["modalities"] == ["text"]
    assert body["cache"] == {"type": "exact_match", "ttl": 60}
    assert body["metadata"] == {"tier": "user"}
    assert body["variables"] == {
        "a": [1, "text"],
        "b": {"c": "d"},
        "c": {"e": {"type": "f", "text": "g"}},
    }
    assert body["tools"] == [
        {
            "type": "function",
            "function": {"name": "f", "parameters": {"type": "object", "properties": {}}},
        },
        {"function": {"name": "g", "parameters": {"required": ["a"]}}},
    ]
    assert (body["x"], body["y"]) == (2, {"type": "text", "text": "t"})
    assert body["z"] == {"content": "c"}


def test_a_generator_is_read_once():
    request = build_request(CONVERTER, None, {"model": "m", "messages": (m for m in [USER])})
    assert unstructure_request(CONVERTER, request) == unstructure_request(CONVERTER, request)
    assert len(unstructure_request(CONVERTER, request)["messages"]) == 1


def test_models_are_there_for_plugins():
    request = build_request(
        CONVERTER,
        {
            "model": "m",
            "messages": [{"role": "user", "content": [{"type": "image_url", "image_url": "u"}]}],
        },
    )
    assert isinstance(request.messages, list)
    message = request.messages[0]
    assert message == UserMessage(content=[ImagePart(image_url="u")])


def test_what_the_caller_changes_later_changes_nothing():
    messages = [UserMessage(content="a")]
    given = ChatCompletionRequest(model="m", messages=[*messages], extra={"x": 1})
    request = build_request(CONVERTER, given)
    assert request == given
    messages[0].content = "b"
    given.extra["y"] = 2
    assert unstructure_request(CONVERTER, request) == {
        "model": "m",
        "messages": [{"role": "user", "content": "a"}],
        "x": 1,
    }


def test_a_request_object_and_keywords_add_up():
    given = ChatCompletionRequest(model="m", messages=[UserMessage(content="hi")])
    whole = {"model": "m", "messages": [USER], "n": 2}
    assert sent(given, n=2) == whole
    assert sent({"model": "m", "messages": [USER]}, n=2) == whole
    assert sent(Pydantic(model="m", messages=[USER]), n=2) == whole
    assert given.n is UNSET


@pytest.mark.parametrize(
    "request_",
    [
        {"model": "m", "messages": []},
        ChatCompletionRequest(model="m", messages=[]),
        ChatCompletionRequest(messages=[], extra={"model": "m"}),
    ],
)
def test_a_field_given_twice_is_refused(request_):
    with pytest.raises(ConfigurationError, match="model: given both"):
        build_request(CONVERTER, request_, {"model": "m"})
    build_request(CONVERTER, {"model": "m", "messages": []}, {"model": UNSET})


def test_an_unknown_keyword_is_refused_with_a_guess():
    with pytest.raises(ConfigurationError, match=r"temprature: .*did you mean temperature\?"):
        build_request(CONVERTER, None, {"model": "m", "messages": [], "temprature": 1})
    with pytest.raises(ConfigurationError, match="extra_body"):
        build_request(CONVERTER, None, {"model": "m", "messages": [], "zzz": 1})


def test_extra_body_has_the_last_word():
    body = sent(model="m", messages=[], n=1, extra_body={"n": "two", "new": {"a": [1]}})
    assert body == {"model": "m", "messages": [], "n": "two", "new": {"a": [1]}}


def test_what_a_plugin_put_in_is_read_on_the_way_out():
    request = build_request(CONVERTER, None, {"model": "m", "messages": [USER]})
    changed = attrs.evolve(
        request,
        metadata={"tenant": "a"},
        messages=[{"role": "user", "content": iter([TextPart(text="x")])}],
    )
    assert unstructure_request(CONVERTER, changed) == {
        "model": "m",
        "messages": [{"role": "user", "content": [{"type": "text", "text": "x"}]}],
        "metadata": {"tenant": "a"},
    }
    changed.metadata = {"tenant": 5}
    with pytest.raises(RequestError, match=r"^metadata\.tenant: expected a string, got int$"):
        unstructure_request(CONVERTER, changed)


def test_to_dict_writes_requests_too():
    assert to_dict(TextPart(text="a", cache_control=CacheControl(ttl="1h"))) == {
        "type": "text",
        "text": "a",
        "cache_control": {"type": "ephemeral", "ttl": "1h"},
    }
    with pytest.raises(RequestError, match="x: NaN"):
        to_dict(TextPart(extra={"x": float("nan")}))


def test_a_repr_names_fields_and_shows_nothing_of_them():
    message = AssistantMessage(content="a secret", extra={"mood": "secret"})
    assert repr(message) == "<AssistantMessage role content mood>"


@attrs.define(kw_only=True, repr=False)
class LoudMessage(UserMessage):
    volume: int = 0


def test_a_plugin_may_bring_its_own_model():
    converter = make_converter()
    converter.register_unstructure_hook(
        LoudMessage, lambda m: {"role": "user", "content": m.content, "volume": (m.volume,)}
    )
    message = LoudMessage(content="a", volume=3)
    request = build_request(converter, None, {"model": "m", "messages": [message]})
    written = unstructure_request(converter, request)
    assert written["messages"] == [{"role": "user", "content": "a", "volume": [3]}]
    assert sent_message(message) == {"role": "user", "content": "a", "volume": 3}


def test_a_plugin_may_read_a_model_its_own_way():
    converter = make_converter()
    converter.register_structure_hook(
        TextPart, lambda value, _: TextPart(text=value["text"].upper())
    )
    body = {
        "model": "m",
        "messages": [{"role": "user", "content": [{"type": "text", "text": "a"}]}],
    }
    request = build_request(converter, body)
    assert isinstance(request.messages, list)
    assert request.messages[0] == UserMessage(content=[TextPart(text="A")])


def test_a_subclass_keeps_what_was_given_to_its_own_fields() -> None:
    @attrs.define(kw_only=True, repr=False)
    class Graded(ChatCompletionRequest):
        grade: str = "gold"

    converter = make_converter()
    given = Graded(model="fake/model", messages=[], grade="silver")
    body = build_request(converter, given)
    assert isinstance(body, Graded)
    for checked in (True, False):
        written = unstructure_request(converter, body, checked=checked)
        assert written == {"model": "fake/model", "messages": [], "grade": "silver"}
