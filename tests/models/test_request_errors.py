"""Requests that can't be built: the path says where, and no value is told."""

from __future__ import annotations

import datetime as dt
import decimal
import pathlib

import pytest

from orq_core import RequestError
from orq_core.models import (
    UNSET,
    ChatCompletionRequest,
    TextPart,
    Usage,
    UserMessage,
    build_request,
    make_converter,
    unstructure_request,
)

CONVERTER = make_converter()
CYCLE: dict[str, object] = {}
CYCLE["again"] = CYCLE


def nested(depth: int) -> object:
    value: object = 1
    for _ in range(depth):
        value = [value]
    return value


def user(content: object) -> dict[str, object]:
    return {"messages": [{"role": "user", "content": content}]}


def image(url: object) -> dict[str, object]:
    return user([{"type": "image_url", "image_url": {"url": url}}])


CASES: list[tuple[dict[str, object], str, str]] = [
    ({"messages": UNSET}, "messages", "is missing"),
    ({"model": None}, "model", "expected a string, got NoneType"),
    ({"model": 5}, "model", "expected a string, got int"),
    ({"model": b"m"}, "model", "got bytes; decode it to a str first"),
    ({"messages": None}, "messages", "expected a list, got NoneType"),
    ({"messages": "hi"}, "messages", "expected a list, got str"),
    ({"messages": {"role": "user"}}, "messages", "expected a list, got dict"),
    ({"messages": {1, 2}}, "messages", "got set; pass a list"),
    ({"messages": ["hi"]}, "messages[0]", "expected an object, got str"),
    ({"messages": [{}]}, "messages[0].role", "is missing"),
    ({"messages": [{"role": 5}]}, "messages[0].role", "expected a string, got int"),
    ({"messages": [{"role": "user", 5: 1}]}, "messages[0]", "expected string keys, got int"),
    (user(5), "messages[0].content", "expected a string or a list, got int"),
    (user({"type": "text"}), "messages[0].content", "expected a string or a list, got dict"),
    (user(None), "messages[0].content", "got NoneType; leave the field out"),
    (user(["text"]), "messages[0].content[0]", "expected an object, got str"),
    (user([TextPart(text="a"), 3]), "messages[0].content[1]", "expected an object, got int"),
    (user([{"type": "text", "text": b"x"}]), "messages[0].content[0].text", "got bytes"),
    (user([{"type": 5}]), "messages[0].content[0].type", "expected a string, got int"),
    (image(5), "messages[0].content[0].image_url.url", "expected a string, got int"),
    (image(pathlib.PurePath("a")), "messages[0].content[0].image_url.url", "pass a str of it"),
    (user("\ud800"), "messages[0].content", "half of a surrogate pair"),
    ({"messages": [UserMessage(content=5)]}, "messages[0].content", "got int"),  # type: ignore[arg-type]
    ({"messages": [Usage(total_tokens=1)]}, "messages[0].role", "is missing"),
    ({"messages": [TextPart(text="a")]}, "messages[0]", "expected a model for this place"),
    ({"tools": [TextPart(text="a")]}, "tools[0]", "expected Tool, got TextPart"),
    ({"messages": [UserMessage]}, "messages[0]", "expected an object, got type"),
    ({"temperature": "0.5"}, "temperature", "expected a number, got str"),
    ({"temperature": True}, "temperature", "expected a number, got bool"),
    ({"temperature": decimal.Decimal("0.5")}, "temperature", "pass a float or a str of it"),
    ({"temperature": float("nan")}, "temperature", "NaN"),
    ({"top_p": float("inf")}, "top_p", "infinities"),
    ({"logprobs": 1}, "logprobs", "expected true or false, got int"),
    ({"stop": ["a", 5]}, "stop[1]", "expected a string, got int"),
    ({"stop": 5}, "stop", "expected a string or a list, got int"),
    ({"metadata": {"tier": 1}}, "metadata.tier", "expected a string, got int"),
    ({"metadata": [("a", "b")]}, "metadata", "expected an object, got list"),
    ({"metadata": {"a b": 1}}, "metadata['a b']", "expected a string, got int"),
    ({"variables": {"when": dt.date(2024, 1, 1)}}, "variables.when", "pass its isoformat()"),
    ({"variables": {"x": [1, {"y": object()}]}}, "variables.x[1].y", "got object"),
    ({"variables": {"x": {1}}}, "variables.x", "got set; pass a list"),
    ({"variables": {"x": {5: 1}}}, "variables.x", "expected string keys, got int"),
    ({"variables": {"x": {"\ud800": 1}}}, "variables.x['\\ud800']", "half of a surrogate"),
    ({"variables": {"x": [UNSET]}}, "variables.x[0]", "UNSET"),
    ({"variables": {"x": 10**5000}}, "variables.x", "more digits than can be written"),
    ({"variables": {"x": (n for n in [1])}}, "variables.x", "got generator"),
    ({"variables": nested(10)}, "variables", "expected an object, got list"),
    ({"variables": {"x": nested(250)}}, "variables.x[0][0]", "nested deeper than 200 levels"),
    ({"variables": CYCLE}, "variables.again.again", "contains itself"),
    ({"timeout": 30}, "timeout", "got int; this client's own limit is set with timeout_ms="),
    ({"retry": 2}, "retry", "set with retries="),
    ({"retry": {"count": "3"}}, "retry.count", "expected a number, got str"),
    ({"plugins": ["logging"]}, "plugins[0]", "expected an object, got str"),
    ({"plugins": object()}, "plugins", "plugins of this client are given to the client"),
    ({"cache": {"ttl": "1h"}}, "cache.ttl", "expected a number, got str"),
    ({"tools": [{"function": {"name": 5}}]}, "tools[0].function.name", "got int"),
    ({"tools": [{"function": {"parameters": "{}"}}]}, "tools[0].function.parameters", "got str"),
    ({"tool_choice": ["auto"]}, "tool_choice", "expected a string or an object, got list"),
    ({"orq": {"knowledge_bases": [{"top_k": "5"}]}}, "orq.knowledge_bases[0].top_k", "got str"),
]


@pytest.mark.parametrize(("fields", "path", "problem"), CASES)
@pytest.mark.parametrize("form", ["keywords", "mapping", "model"])
def test_the_error_names_the_place(form, fields, path, problem):
    whole = {"model": "m", "messages": [], **fields}
    given: object = None
    if form == "mapping":
        given = whole
    elif form == "model":
        given = ChatCompletionRequest(**whole)  # type: ignore[arg-type]
    with pytest.raises(RequestError) as caught:
        request = build_request(CONVERTER, given, whole if form == "keywords" else {})
        unstructure_request(CONVERTER, request)
    assert caught.value.path is not None
    assert (
        caught.value.path.startswith(path)
        if "again" in path or "[0][0]" in path
        else (caught.value.path == path)
    )
    assert str(caught.value).startswith(f"{caught.value.path}: ")
    assert problem in str(caught.value)
    assert len(str(caught.value)) < 400


def test_keywords_need_a_model_and_a_whole_body_may_leave_it_to_its_server():
    with pytest.raises(RequestError, match=r"model: is missing") as caught:
        build_request(CONVERTER, None, {"messages": []})
    assert caught.value.path == "model"
    request = build_request(CONVERTER, {"messages": []}, {})
    assert unstructure_request(CONVERTER, request) == {"messages": []}


@pytest.mark.parametrize("request_", [5, "body", [], UserMessage(content="hi"), TextPart])
def test_a_request_of_the_wrong_kind(request_):
    with pytest.raises(RequestError) as caught:
        build_request(CONVERTER, request_, {})
    assert caught.value.path == "request"


@pytest.mark.parametrize("extra_body", [5, "body", [("a", 1)]])
def test_an_extra_body_of_the_wrong_kind(extra_body):
    with pytest.raises(RequestError) as caught:
        build_request(CONVERTER, {"model": "m", "messages": []}, {}, extra_body)
    assert caught.value.path == "extra_body"


def test_an_extra_body_is_checked_when_it_is_written():
    request = build_request(CONVERTER, {"model": "m", "messages": []}, {}, {"x": {"y": b"z"}})
    with pytest.raises(RequestError) as caught:
        unstructure_request(CONVERTER, request)
    assert caught.value.path == "x.y"


@pytest.mark.parametrize("value", [5, None, [("type", "text")]])
def test_a_model_of_no_object(value):
    with pytest.raises(RequestError, match="expected an object"):
        CONVERTER.structure(value, TextPart)


def test_no_value_is_told():
    secret = "sk-fake-000000"
    for fields in (
        image([secret]),
        {"metadata": secret},
        {"temperature": secret},
        {"seed": {secret}},
    ):
        with pytest.raises(RequestError) as caught:
            build_request(CONVERTER, None, {"model": "m", "messages": [], **fields})
        assert secret not in repr(caught.value)
        assert caught.value.__cause__ is None


def test_no_value_is_told_of_what_json_lacks():
    request = build_request(
        CONVERTER, None, {"model": "m", "messages": [], "variables": {"a": b"sk-fake-000000"}}
    )
    with pytest.raises(RequestError) as caught:
        unstructure_request(CONVERTER, request)
    assert "sk-fake" not in repr(caught.value)
