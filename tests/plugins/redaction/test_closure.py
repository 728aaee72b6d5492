"""The prefix closure: where a match may still begin or grow, for each construct of a pattern."""

from __future__ import annotations

import re

import pytest

from orq_plugins.redaction._regex import PatternError
from orq_plugins.redaction.closure import context, guarded

# pattern, text, the place from which it is open
OPEN = [
    ("abc", "xx", 2),
    ("abc", "xab", 1),
    ("abc", "xabc", 4),
    ("abc", "xabx", 4),
    ("a{2,4}", "xaa", 1),
    ("a{2,4}", "xaaaa", 2),
    ("a{2}b?", "xaa", 1),
    ("[a-c]{1,3}d", "zabc", 1),
    ("(?:ab|cd)e", "xcd", 1),
    ("(?:ab|cd)e", "xcx", 3),
    ("(?i:AB)c", "xaB", 1),
    ("ab(?!c)", "xab", 1),
    ("ab(?!c)", "xabd", 4),
    ("ab(?=cd)", "xabc", 1),
    (r"\bab\b", "x ab", 2),
    (r"(?<!x)ab", "xa", 2),
    (r"(?<!x)ab", "ya", 1),
    (r"a[\s\S]{1,9}?b", "xa..", 1),
    ("[^x]y", "ab", 1),
    (r"\d{2}-\d{2}", "9 12-3", 2),
    ("a.c", "xab", 1),
    ("(?:(?:ab){1,2}c){1,2}d", "abcab", 0),
]


@pytest.mark.parametrize(("pattern", "text", "place"), OPEN)
def test_the_leftmost_open_place(pattern, text, place):
    parts = guarded(pattern)
    assert re.compile(parts.guard + parts.rest)
    found = None if parts.opening is None else re.search(parts.guard + parts.opening, text)
    assert (len(text) if found is None else found.start()) == place


@pytest.mark.parametrize(
    "pattern", ["(a)\\1", "(?P<x>a)(?P=x)", "(a)?(?(1)b|c)", "^a", "a$", "a(?=b)(", "[z-a]"]
)
def test_what_can_not_be_followed(pattern):
    with pytest.raises(PatternError):
        guarded(pattern)


@pytest.mark.parametrize(
    ("pattern", "around"),
    [
        ("a", (0, 0)),
        (r"\ba", (1, 1)),
        ("(?<!xy)a", (2, 0)),
        ("(?:(?<=x)|b)a(?!cde)", (1, 3)),
        ("(?:a(?=b)){1,2}", (0, 1)),
    ],
)
def test_how_far_a_pattern_looks(pattern, around):
    assert context(pattern) == around
