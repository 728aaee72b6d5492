"""Which requests have the same key, and which must not."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orq_core.models import build_request, make_converter
from orq_plugins.caching.key import canonical, key_of

CONVERTER = make_converter()
SECRET = b"fake-secret"
BODY: dict[str, Any] = {"model": "fake/model", "messages": [{"role": "user", "content": "hello"}]}
URL = "https://router.example.test/v2/router/chat/completions"


def key(body: dict[str, Any] = BODY, **more: Any) -> str:
    request = build_request(CONVERTER, body)
    where = {"url": URL, "tenant": "a", "namespace": "", **more}
    return key_of(where.pop("secret", SECRET), request, **where)


@pytest.mark.parametrize(
    "more",
    [
        {"stream": True},
        {"stream_options": {"include_usage": True}},
        {"metadata": {"team": "a"}},
        {"name": "a name for the trace"},
        {"thread": {"id": "t"}},
        {"cache": {"type": "exact_match"}},
        {"cache_control": {"type": "ephemeral"}},
        {"prompt_cache_key": "k"},
        {"retry": {"count": 1}},
        {"timeout": {"call_timeout": 5}},
        {"orq": {"name": "a", "thread": {"id": "t"}}},
    ],
    ids=lambda more: next(iter(more)),
)
def test_what_does_not_change_the_answer_does_not_change_the_key(more):
    same = {**BODY, "orq": {}} if "orq" in more else BODY
    assert key({**BODY, **more}) == key(same)


@pytest.mark.parametrize(
    "more",
    [
        {"model": "fake/other"},
        {"temperature": 0},
        {"temperature": None},
        {"seed": 1},
        {"n": 2},
        {"tools": [{"type": "function", "function": {"name": "f"}}]},
        {"response_format": {"type": "json_object"}},
        {"a_field_from_tomorrow": 1},
        {"variables": {"a": "b"}},
        {"messages": [{"role": "user", "content": "hello!"}]},
        {"messages": [{"role": "user", "content": "hello", "name": "somebody"}]},
        {"messages": [{"role": "system", "content": "hello"}]},
    ],
    ids=lambda more: "-".join(map(str, more)),
)
def test_what_may_change_the_answer_changes_the_key(more):
    assert key({**BODY, **more}) != key()


def test_who_asks_and_where_changes_the_key():
    keys = {
        key(),
        key(tenant="b"),
        key(namespace="n"),
        key(url="https://other.example.test/v2/router/chat/completions"),
        key(url=f"{URL}?deployment=a"),
        key(url=f"{URL}?deployment=b"),
        key(secret=b"another"),
        key(redaction="audit"),
        key(redaction="off"),
    }
    assert len(keys) == 9


def test_the_order_of_keys_and_the_type_of_numbers_do_not():
    one = {**BODY, "temperature": 1, "variables": {"a": 1.0, "b": [2]}}
    two = {"variables": {"b": [2.0], "a": 1}, "temperature": 1.0, **BODY}
    assert key(one) == key(two)


def test_true_is_not_one():
    assert key({**BODY, "x": True}) != key({**BODY, "x": 1})


def test_a_text_and_its_one_part_are_the_same():
    parts = [{"type": "text", "text": "hello", "cache_control": {"type": "ephemeral"}}]
    assert key({**BODY, "messages": [{"role": "user", "content": parts}]}) == key()


def test_data_counts_by_its_digest():
    def image(data: str) -> dict[str, Any]:
        part = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{data}"}}
        return {**BODY, "messages": [{"role": "user", "content": [part]}]}

    one, other = image("QUJD" * 1000), image("QUJE" * 1000)
    assert key(one) != key(other)
    assert len(canonical(one)) < 400


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=12,
)


@given(st.dictionaries(st.text(min_size=1), JSON))
def test_shuffled_keys_have_the_same_canonical_text(body):
    def shuffled(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: shuffled(value[name]) for name in reversed(list(value))}
        return [shuffled(each) for each in value] if isinstance(value, list) else value

    assert canonical(body) == canonical(shuffled(body))
