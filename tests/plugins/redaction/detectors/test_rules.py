from __future__ import annotations

import sys

import pytest

from orq_core import ConfigurationError
from orq_plugins.redaction.detectors.rules import rules
from orq_plugins.redaction.matcher import Matcher

RULES = r"""
title = "made up"
[allowlist]
paths = ['''.*\.lock''']
stopwords = ["sample"]

[[rules]]
id = "acme-token"
regex = '''\b(acme-(?i)[a-z0-9]{12,})(?:[\x60'"\s;]|\\[nr]|$)'''
entropy = 2.5
keywords = ["acme-"]
[[rules.allowlists]]
regexes = ['''0000$''']

[[rules]]
id = "1st.assigned"
regex = '''(?i)[\w.-]{0,50}?widget[\w.-]{0,20}[\s'"]{0,3}[=:][\s"]{0,5}([a-z0-9]{16})(?:[\s"]|$)'''
secretGroup = 1
entropy = 3
[[rules.allowlists]]
condition = "AND"
paths = ['''x''']
regexes = ['''.''']

[[rules]]
id = "posix"
regex = '''^pat[[:alnum:]_]{4}(?P<rest>\.[[:xdigit:]]+)\z'''

[[rules]]
id = "only-a-path"
path = '''secrets\.txt'''
"""


def found(text, source=RULES):
    matches = Matcher.of(rules(source)).all(text)
    return [(match.entity, text[match.start : match.end]) for match in matches]


def test_entities_are_named_after_rules():
    assert [each.entity for each in rules(RULES)] == ["ACME_TOKEN", "RULE_1ST_ASSIGNED", "POSIX"]


def test_what_ends_a_match_is_left():
    assert found("x 'acme-ABCdef123456';") == [("ACME_TOKEN", "acme-ABCdef123456")]
    assert found("acme-ABCdef123456") == [("ACME_TOKEN", "acme-ABCdef123456")]
    assert found("acme-ABCdef123456-") == []


def test_randomness_is_that_of_the_secret():
    assert found('my_widget_key = "f4k3f4k3a1b2c3d4"') == [
        ("RULE_1ST_ASSIGNED", 'my_widget_key = "f4k3f4k3a1b2c3d4'),
    ]
    assert found('my_widget_key = "aaaaaaaaaaaaaaaa"') == []


@pytest.mark.parametrize("text", ["acme-ABCdef12340000 ", "acme-sample123456"])
def test_what_is_allowed_is_left(text):
    assert found(text) == []


def test_go_syntax():
    assert found("patA_1z.0fF") == [("POSIX", "patA_1z.0fF")]
    assert found(" patA_1z.0fF") == []
    assert found("patA_1z.0fF ") == []


@pytest.mark.parametrize(
    ("regex", "text", "taken"),
    [
        ("a(?i)b|c", "aB AB C", ["aB", "C"]),
        ("x(?:a(?i)b|c)d", "xaBd xAbd xCd xCD", ["xaBd", "xCd"]),
        ("[[(?|]z", "[z (z z ?z |z", ["[z", "(z", "?z", "|z"]),
        ("[]x]q", "]q q xq", ["]q", "xq"]),
        (r"a+?b*c{2,}", "abc aabcc", ["aabcc"]),
    ],
)
def test_flags_and_sets(regex, text, taken):
    source = f"[[rules]]\nid = 'r'\nregex = '''{regex}'''"
    assert [value for _, value in found(text, source)] == taken


def test_a_file(tmp_path):
    path = tmp_path / "rules.toml"
    path.write_text(RULES)
    assert len(rules(path)) == 3


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("= 1", "not TOML"),
        ("[[rules]]\nid = 'r'\nregex = '(a'", "r: its regex"),
        ("[[rules]]\nid = 'r'\nregex = '[[:nope:]]'", "nope"),
        (r"[[rules]]" + "\nid = 'r'\nregex = '(a)'\nsecretGroup = 2", "no group 2"),
    ],
)
def test_what_cannot_be_used_is_refused(source, message):
    with pytest.raises(ConfigurationError, match=message):
        rules(source)


def test_the_missing_extra_is_named(monkeypatch):
    for name in ("tomllib", "tomli"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ConfigurationError, match=r"orq-core\[toml\]"):
        rules("")
