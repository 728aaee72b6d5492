from __future__ import annotations

import pytest

from orq_core import ConfigurationError
from orq_plugins.redaction.detectors.words import words
from orq_plugins.redaction.matcher import Matcher


def found(text, *listed, **options):
    matches = Matcher.of([words("PROJECT", listed, **options)]).all(text)
    assert {match.entity for match in matches} <= {"PROJECT"}
    return [text[match.start : match.end] for match in matches]


def test_whole_words_and_the_longest_phrase():
    text = "The BLUE\n heron two, bluest blue; blue heron."
    listed = ("blue", "Blue Heron", "blue heron two")
    assert found(text, *listed) == ["BLUE\n heron two", "blue", "blue heron"]


def test_marks_need_no_boundary():
    assert found("C++11, C++ and C", "C++") == ["C++", "C++"]
    assert found("x.y xzy", "x.y") == ["x.y"]


def test_case_matters_if_asked():
    assert found("Falcon falcon Über über", "Falcon", "Über", ignore_case=False) == [
        "Falcon",
        "Über",
    ]


def test_long_lists_share_their_beginnings():
    listed = [f"codename{n}" for n in range(3000)]
    assert found("codename2999 codename3000 codename29", *listed) == ["codename2999", "codename29"]


@pytest.mark.parametrize("listed", [(), ("a", " ")])
def test_empty_lists_and_words_are_refused(listed):
    with pytest.raises(ConfigurationError, match="PROJECT"):
        words("PROJECT", listed)
