"""The quick look never calls a text clear in which something is found."""

from __future__ import annotations

import sys
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orq_core.testing import Mode, completion, reply
from orq_plugins import Redaction
from orq_plugins.redaction import DEFAULT, CallableDetector, Detector
from orq_plugins.redaction.detectors.words import words
from orq_plugins.redaction.matcher import Matcher
from orq_plugins.redaction.prefilter import prefilter
from tests.plugins.redaction.detectors.corpus import cases
from tests.plugins.redaction.texts import ATOMS, MATCHER, random_text
from tests.plugins.talk import Talk

EVERYTHING = Matcher.of(DEFAULT)
PROSE = "The quick brown fox jumps over the lazy dog, again and again; nobody knows why: 3 times. "

cut_texts = st.lists(st.sampled_from(ATOMS) | st.text(max_size=6), max_size=10).map("".join)


@pytest.fixture
def engine() -> Any:
    return pytest.importorskip("re2")


@pytest.mark.parametrize("matcher", [MATCHER, EVERYTHING], ids=["small", "default"])
@pytest.mark.usefixtures("engine")
def test_prose_is_clear(matcher):
    assert prefilter(matcher)(PROSE * 100)
    assert not prefilter(matcher)(PROSE * 100 + "joe.fake@example.com")


@pytest.mark.usefixtures("engine")
def test_what_holds_a_value_is_not_clear():
    is_clear = prefilter(EVERYTHING)
    assert [case.text for case in cases() if case.spans and is_clear(case.text)] == []
    random = Random(11)
    for _ in range(2000):
        text = random_text(random)
        assert not (MATCHER.all(text) and prefilter(MATCHER)(text))


@settings(max_examples=300, deadline=None)
@given(cut_texts)
def test_any_text(text):
    for matcher in (MATCHER, EVERYTHING):
        assert not (matcher.all(text) and prefilter(matcher)(text))


@pytest.mark.usefixtures("engine")
@pytest.mark.parametrize(
    ("pattern", "ignore_case", "text"),
    [
        ("sik", True, "\u017f\u0131\u212a"),
        ("\u017f\u0130\u212a", True, "SIK"),
        ("[s-u]i", True, "\u017f\u0130"),
        ("[\xe0-\xff]{2}", True, "\xc0\xc9"),
        ("stra\xdfe", True, "STRA\u1e9eE"),
        ("(?i:k)(?-i:a)", False, "\u212aa"),
        (r"\d{2}\s\w", False, "\u0661\u0662\u2003\xb2"),
        (r"\D\S\W", False, "\xe9\xe9\u2014"),
        (r"[^\W\d_]{2}", False, "\xe9\u4e00"),
        (r"[^\s'a-c]{2}", False, "d\xe9"),
        ("[^a]", True, "\u212a"),
        ("a[^b]c", False, "a\nc"),
        ("a.c", False, "a\u2028c"),
        ("(?s:a.c)", False, "a\nc"),
        (r"(?<![\w.])\bab(?!c)", False, "-ab"),
        ("(?:ab){2,50}c?", False, "abab"),
        ("x{0,3}y|[|]z", False, "|z"),
        (r"[\w-]{1,3}!", False, "\u0661-!"),
    ],
    ids=ascii,
)
def test_what_re_finds_is_not_clear(pattern, ignore_case, text):
    matcher = Matcher.of([Detector("X", pattern, None, ignore_case)])
    assert matcher.all(text)
    assert not prefilter(matcher)(text)
    assert prefilter(matcher)("")


@pytest.mark.usefixtures("engine")
def test_words_in_any_case():
    listed = ("Project Å", "C++", "straße", "kiş")
    matcher = Matcher.of([words("WORD", listed)])
    for text in ("see project å", "c++", "STRASSE straße", "KİŞ kiş", "nothing"):
        assert not (matcher.all(text) and prefilter(matcher)(text))
    assert prefilter(matcher)("nothing")


@pytest.mark.usefixtures("engine")
def test_what_can_not_be_told_is_not_clear():
    assert not prefilter(MATCHER)("half a pair \ud800")
    everything = Matcher.of([Detector("X", "a"), CallableDetector("Y", lambda text: [])])
    assert not prefilter(everything)("b")
    huge = Matcher.of([Detector("X", "(?:(?:(?:ab{20}){20}){20}){20}")])
    assert not prefilter(huge)("b")


@pytest.mark.usefixtures("engine")
def test_a_name_is_seen_however_far_its_value_stands(mode: Mode):
    function = {"name": "f", "arguments": '{"password"  :\n          "Fake-Pa55word"}'}
    calls = [{"id": "c", "type": "function", "function": function}]
    talk = Talk(mode, reply(completion("ok")), plugins=[Redaction()])
    talk.one(messages=[{"role": "assistant", "tool_calls": calls}])
    assert b"Fake-Pa55word" not in talk.transport.requests[0].body


def test_without_the_package(mode: Mode, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "re2", None)
    prefilter.cache_clear()
    assert not prefilter(MATCHER)("b")
    talk = Talk(mode, reply(completion("ok")), plugins=[Redaction()])
    talk.one(messages=[{"role": "user", "content": "I am joe.fake@example.com"}])
    prefilter.cache_clear()
    assert b"I am <EMAIL_1>" in talk.transport.requests[0].body
