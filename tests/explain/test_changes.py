"""Differences of two bodies, by path, without what people wrote."""

from __future__ import annotations

from typing import Any

import pytest

from orq_core.explain.changes import changes

USER = {"role": "user", "content": "canary"}
PARTS = {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}
OTHER = {"role": "user", "content": [{"type": "text", "text": "x"}, {"type": "text", "text": "y"}]}


@pytest.mark.parametrize(
    ("before", "after", "lines"),
    [
        ({}, {}, []),
        ({"temperature": 1}, {"temperature": 1}, []),
        ({"temperature": 1}, {"temperature": 1.0}, ["~ temperature: 1 -> 1.0"]),
        ({"n": 1}, {"n": True}, ["~ n: 1 -> true"]),
        ({}, {"seed": None}, ["+ seed: null"]),
        ({"top_p": 0.5}, {}, ["- top_p: 0.5"]),
        ({"model": "a/b"}, {"model": "c/d"}, ['~ model: "a/b" -> "c/d"']),
        ({"model": "a/b"}, {"model": "two words"}, ["~ model: 1 value masked"]),
        (
            {},
            {"retry": {"count": 2, "on_codes": [429]}},
            ["+ retry.count: 2", "+ retry.on_codes[0]: 429"],
        ),
        ({}, {"metadata": {"team": "canary"}}, ["+ metadata.team: 1 value masked"]),
        ({}, {"metadata": {}}, ["+ metadata: {}"]),
        ({}, {"variables": {"an e@mail": 1}}, ["+ variables.*: 1 value masked"]),
        ({"stop": "a"}, {"stop": ["a", "b"]}, ["~ stop: 1 value masked"]),
        (
            {"messages": [USER]},
            {"messages": [{**USER, "content": "x"}]},
            ["~ messages[0].content: 1 value masked"],
        ),
        ({"messages": [PARTS]}, {"messages": [OTHER]}, ["~ messages[0].content: 2 values masked"]),
        (
            {"messages": [USER, PARTS]},
            {"messages": [{"role": "system", "content": "canary"}, USER, PARTS]},
            ['+ messages[0].role: "system"', "+ messages[0].content: 1 value masked"],
        ),
        (
            {"messages": [USER, PARTS]},
            {"messages": [PARTS]},
            ['- messages[0].role: "user"', "- messages[0].content: 1 value masked"],
        ),
        ({"custom": 1}, {"custom": 2}, ["~ custom: 1 value masked"]),
        (
            {"messages": [{"content": ["a", "b"]}]},
            {"messages": [{"content": ["x", "b", "c"]}]},
            ["~ messages[0].content: 2 values masked"],
        ),
    ],
)
def test_changes(before: dict[str, Any], after: dict[str, Any], lines: list[str]):
    told = [str(each) for each in changes(before, after)]
    assert told == lines
    assert "canary" not in "".join(told)
