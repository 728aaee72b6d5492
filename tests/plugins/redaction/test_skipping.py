"""What is passed over is what no pattern could match: compared with trying all everywhere."""

from __future__ import annotations

import re
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orq_plugins.redaction._case import cased
from orq_plugins.redaction._regex import parse, sequence
from orq_plugins.redaction.closure import guarded, opening_of, touch_of
from orq_plugins.redaction.detectors import DEFAULT
from orq_plugins.redaction.skipping import breaks, narrowed
from orq_plugins.redaction.union import Union

# Beside the package's own: beginnings beyond ASCII, flags, guards, alternatives without a first.
MORE = [
    "€[0-9]{2}",
    "(?i:Äb{1,3})",
    r"(?<!\w)(?s:a.b)",
    r"\bword\b",
    "(?:a|b?)c",
    "(?<=x)(?:y|z){2}",
]
PATTERNS = [f"(?i:{d.pattern})" if d.ignore_case else d.pattern for d in DEFAULT] + MORE
PARTS = [guarded(pattern) for pattern in PATTERNS]
WORDS = [
    *[
        "token",
        "Bearer",
        "PASSWORD",
        "api key",
        "pass\u017fword",
        "\u212aey",
        "private",
        "sk-",
        "eyJ",
    ],
    *[
        "ann",
        "example.org",
        "DE",
        "89370400440532013000",
        "555",
        "0123",
        "a.b",
        "äbb",
        "€12",
        "xyz",
    ],
    *[" ", "\n", ".", ",", "@", "=", ":", "-", "_", '"', "(", ")", "+", "/", "the", "word", "xzy"],
]
TEXTS = st.lists(st.sampled_from(WORDS) | st.text(max_size=4), max_size=8).map("".join)
KINDS = {
    "rest": (Union(lambda part: part.rest, sequence), lambda part: part.rest),
    "opening": (Union(lambda part: part.opening, opening_of), lambda part: part.opening),
    "touch": (Union(lambda part: part.touch, touch_of), lambda part: part.touch),
}


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_passed_over_that_some_pattern_takes(kind):
    union, take = KINDS[kind]
    compiled = union.of(PARTS)
    each = [re.compile(part.guard + take(part)) for part in PARTS if take(part) is not None]

    @given(TEXTS)
    def same(text):
        found = compiled.search(text)
        places = [first.start() for one in each if (first := one.search(text)) is not None]
        # The end of a text is open for all of them.
        assert (len(text) if found is None else found.start()) == min([*places, len(text)])

    same()


@given(TEXTS)
def test_what_touches_is_what_matches_or_may_come_to(text):
    for part in PARTS:
        both = [part.rest] if part.opening is None else [part.rest, part.opening]
        places = [
            found.start()
            for each in both
            if (found := re.search(part.guard + each, text)) is not None
        ]
        touch = re.search(part.guard + part.touch, text)
        assert (None if touch is None else touch.start()) == min(places, default=None)


@pytest.mark.parametrize("pattern", [*"aiksKZ7", "[a-z]", "[^k]", r"[\dS]"])
def test_a_pattern_without_case_takes_the_same_letters(pattern):
    everything = "".join(map(chr, range(sys.maxunicode + 1)))
    written = sequence(cased(parse(f"(?i:{pattern})")))
    assert "(?i" not in written
    assert re.findall(written, everything) == re.findall(pattern, everything, re.IGNORECASE)


@pytest.mark.parametrize("pattern", ["(?i:ä)", "(?is:a.)", "(?i:a(?-i:b))", "(?i:[a-ÿ])"])
def test_a_group_that_says_more_than_case_is_left_alone(pattern):
    assert sequence(cased(parse(pattern))) == sequence(parse(pattern))


@pytest.mark.parametrize(
    ("pattern", "ends"),
    [
        (r"\w{1,9}@", True),
        (r"\w{1,9}[@ ]", False),
        ("[a-z]{9}", False),  # the word itself is a match
        ("[a-z]{16}", True),
        ("(?:ab){8}", True),
        ("(?:a|bc){2}", False),
        ("[a-z]{16} ", True),
        ("(?:[0-9]|(?s:a)) ", False),
        ("a?", False),
        ("[a-z]?-x", True),
    ],
)
def test_a_space_ends_a_plain_word(pattern, ends):
    assert (" " in breaks(guarded(pattern).nodes)) is ends


@pytest.mark.parametrize(
    ("pattern", "first", "left"),
    [
        ("abc", "a", "abc"),
        ("abc", "b", None),
        ("(?:ab|bc|b)d", "b", "(?:bc|b)d"),
        ("(?:ab|bc)d", "b", "bcd"),
        ("[a-c]{2}d", "d", None),
        ("(?:ab){1,2}c", "b", None),
        ("a?b", "b", "b"),
        ("a?b", "a", "(?:a){0,1}b"),
        ("a?b", "c", None),
        ("(?s:a)b", "b", "(?s:a)b"),
        ("", "b", ""),
    ],
)
def test_what_can_begin_with_a_character(pattern, first, left):
    nodes = narrowed(parse(pattern), first)
    assert (None if nodes is None else _flat(sequence(nodes))) == left


def _flat(written: str) -> str:
    """Leave out the group around what is one branch only."""
    return re.sub(r"\(\?:(b|bc)\)", r"\1", written)


def test_flags_are_kept_with_their_parts():
    part = guarded("(?s:a.b)")
    assert part.nodes is None
    assert part.rest == "(?s:a.b)"
    assert re.match(part.touch, "a\nb")
