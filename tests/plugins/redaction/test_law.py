"""The law of streams: however a text is cut, what comes out is what the whole text gives."""

from __future__ import annotations

import json
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orq_plugins.redaction import DEFAULT, Detector, Vault
from orq_plugins.redaction.matcher import Matcher
from orq_plugins.redaction.rewriting import Restorer
from orq_plugins.redaction.scanner import Scanner
from orq_plugins.redaction.vault import placeholders
from orq_plugins.redaction.window import JsonWindow, TextWindow, Window, joined
from tests.plugins.redaction.texts import ATOMS, MATCHER, pieces, random_cuts, random_text

HOLD = 32768
EVERYTHING = Matcher.of(DEFAULT)

cut_texts = st.lists(st.sampled_from(ATOMS) | st.text(max_size=6), max_size=10).map("".join)
some_cuts = st.lists(st.integers(0, 200), max_size=12)


def named(entity: str, text: str) -> str:
    return f"[{entity}:{len(text)}]"


def whole(matcher: Matcher, text: str) -> str:
    """Rewrite a whole text, by what the matcher says of all of it at once."""
    out, at = [], 0
    for match in matcher.all(text):
        out += [text[at : match.start], named(match.entity, text[match.start : match.end])]
        at = match.end
    return "".join(out) + text[at:]


def text_window(matcher: Matcher = MATCHER, rewrite=named) -> Window:
    return TextWindow(lambda: Scanner(matcher, HOLD), rewrite)


def json_window(matcher: Matcher = MATCHER, rewrite=named) -> Window:
    return JsonWindow(lambda: Scanner(matcher, HOLD), rewrite)


def streamed(matcher: Matcher, parts: list[str], expected: str, rewrite=named) -> str:
    """Rewrite a text in pieces; what is out is never taken back."""
    return fed(text_window(matcher, rewrite), parts, expected)


def fed(window: Window, parts: list[str], expected: str) -> str:
    out = ""
    for part in parts:
        out += joined(window.feed(part))
        assert expected.startswith(out)
    return out + joined(window.flush())


@settings(max_examples=400, deadline=None)
@given(cut_texts, some_cuts)
def test_the_law(text, cuts):
    expected = whole(MATCHER, text)
    inside = sorted(cut for cut in cuts if cut <= len(text))
    assert streamed(MATCHER, pieces(text, inside), expected) == expected


@settings(max_examples=150, deadline=None)
@given(cut_texts, some_cuts)
def test_the_law_for_the_default_detectors(text, cuts):
    expected = whole(EVERYTHING, text)
    inside = sorted(cut for cut in cuts if cut <= len(text))
    assert streamed(EVERYTHING, pieces(text, inside), expected) == expected


@pytest.mark.parametrize("text", [random_text(Random(seed)) for seed in range(40)])
def test_one_character_at_a_time(text):
    expected = whole(EVERYTHING, text)
    assert streamed(EVERYTHING, list(text), expected) == expected


def test_a_long_key_one_character_at_a_time():
    body = "".join(Random(3).choice("ABCDEFabcdef012345\n") for _ in range(1500))
    text = f"a -----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY----- b"
    expected = whole(MATCHER, text)
    assert "ABC" not in expected
    assert streamed(MATCHER, list(text), expected) == expected


def test_nothing_is_held_longer_than_needed():
    window = text_window()
    assert joined(window.feed("plain words. ")) == "plain words. "
    assert window.held == 0
    assert joined(window.feed("joe.fake@exa")) == ""
    assert joined(window.feed("mple.com")) == ""
    assert joined(window.feed(" said")) == "[EMAIL:20] "
    assert joined(window.flush()) == "said"


VAULT = Vault()
FORMS = (
    "<EMAIL_1>",
    "<email_1>",
    "< EMAIL_1 >",
    "&lt;EMAIL_1&gt;",
    r"\<EMAIL\_1\>",
    "[EMAIL_1]",
    "{EMAIL_1}",
    "(Email 1)",
    "<`EMAIL_1`>",
    "<EMAIL-1>",
    "&#60;EMAIL_1&#62;",
    "&#x3C;EMAIL_1&#x3E;",
    "<EMAIL _1>",
    "<EMAIL_ 1>",
    "<CREDIT_CARD_1>",
    r"\<CREDIT\_CARD\_1\>",
    "<Credit Card_1>",
)
VALUES = {"EMAIL": 'joe "fake"\n@example.com', "CREDIT_CARD": "4111 1111 1111 1111"}
for _entity, _value in VALUES.items():
    VAULT.placeholder(_entity, _value)
NOT_FORMS = ("<EMAIL_2>", "EMAIL_1", "<EMAIL_>", "<div>", "<EMAIL_1", "[1]", "&lt;", "\\", "{EMAIL")


@pytest.mark.parametrize("form", FORMS)
def test_mangled_placeholders_are_restored(form):
    restorer = Restorer(VAULT)
    text = f"before {form} after"
    value = VALUES["CREDIT_CARD" if "ard" in form.lower() else "EMAIL"]
    expected = f"before {value} after"
    assert streamed(placeholders(VAULT.entities), list(text), expected, restorer) == expected
    assert restorer.restored == 1


@pytest.mark.parametrize("form", [form for form in FORMS if "ard" not in form.lower()])
def test_a_mangled_placeholder_is_never_anothers(form):
    vault = Vault()
    for number in range(1, 80):
        vault.placeholder("EMAIL", f"fake{number}@example.com")
    for number in (1, 6, 62, 79):
        text = form.replace("1", str(number))
        assert Restorer(vault)("EMAIL", text) == f"fake{number}@example.com"


@pytest.mark.parametrize("form", NOT_FORMS)
def test_other_texts_are_left(form):
    text = f"before {form} after"
    restore = Restorer(VAULT)
    assert streamed(placeholders(VAULT.entities), list(text), text, restore) == text


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(FORMS + NOT_FORMS + (" ", "word", "<"))), some_cuts)
def test_the_law_holds_for_restoring(parts, cuts):
    text = "".join(parts)
    matcher = placeholders(VAULT.entities)
    window = text_window(matcher, Restorer(VAULT))
    expected = joined(window.feed(text) + window.flush())
    inside = sorted(cut for cut in cuts if cut <= len(text))
    assert streamed(matcher, pieces(text, inside), expected, Restorer(VAULT)) == expected


def json_streamed(text: str, cuts: list[int], rewrite=named) -> str:
    """Rewrite a JSON text in pieces; nothing else is out at any time than with the whole of it."""
    at_once = json_window(MATCHER, rewrite)
    expected = joined(at_once.feed(text) + at_once.flush())
    return fed(json_window(MATCHER, rewrite), pieces(text, cuts), expected)


def json_text(random: Random) -> str:
    data = {
        "to": random_text(random),
        "n": random.choice([1, 4111111111111112, True, None, 15]),
        "list": [random_text(random), {"deep": random_text(random) + '"\\\n'}],
    }
    return _escaped_somehow(random, json.dumps(data, ensure_ascii=random.random() < 0.5))


def _escaped_somehow(random: Random, text: str) -> str:
    """Write some characters of a JSON text's strings as escapes."""
    return "".join(f"\\u{ord(c):04x}" if c in "@é.-" and random.random() < 0.4 else c for c in text)


@pytest.mark.parametrize("seed", range(60))
def test_the_law_holds_for_json(seed):
    random = Random(seed)
    text = json_text(random)
    expected = json_streamed(text, [])
    decoded, before = json.loads(expected), json.loads(text)
    assert decoded["to"] == whole(MATCHER, before["to"])
    assert decoded["list"][1]["deep"] == whole(MATCHER, before["list"][1]["deep"])
    for _ in range(20):
        assert json_streamed(text, random_cuts(random, text)) == expected


WITH_ITS_NAME = Matcher.of([Detector("SECRET", r'password": "[^\s"]{6,40}')])


@pytest.mark.parametrize("matcher", [EVERYTHING, WITH_ITS_NAME], ids=["default", "without head"])
@pytest.mark.parametrize("seed", range(20))
def test_the_law_holds_for_secrets_known_by_their_name(seed, matcher):
    random = Random(seed)
    same = {"passwords": "Fake-Pa55word", "list": ["password", "Fake-Pa55word"], "": "password"}
    data = {random_text(random): random_text(random), "password": "Fake-Pa55word", **same}
    text = _escaped_somehow(random, json.dumps(data, indent=random.choice([None, 1])))
    window = json_window(matcher)
    expected = joined(window.feed(text) + window.flush())
    assert {"password": "[SECRET:13]", **same}.items() <= json.loads(expected).items()
    for _ in range(20):
        cuts = random_cuts(random, text)
        assert fed(json_window(matcher), pieces(text, cuts), expected) == expected


def test_an_escape_does_not_hide_a_value():
    text = r'{"to": "joe\u002Efake\u0040example.com", "note": "caf\u00e9 \/ ok"}'
    out = json_streamed(text, [])
    assert out == r'{"to": "[EMAIL:20]", "note": "caf\u00e9 \/ ok"}'


def test_a_number_becomes_a_string():
    assert json_streamed('{"card": 5500000000000004, "n": 7}', []) == (
        '{"card": "[CARD:16]", "n": 7}'
    )


def test_what_is_put_in_is_escaped():
    out = json_streamed('{"to": "a@b.example.org"}', [], lambda *_: 'say "hi"\n')
    assert json.loads(out) == {"to": 'say "hi"\n'}


@pytest.mark.parametrize(
    "text",
    ['{"a": "unfinished', '{"a": "x\\', '{"a": "x\\u00', "no json at all", '"\\x"', "", "[1,,]"],
)
def test_broken_json_passes(text):
    assert json_streamed(text, []) == text
    assert json_streamed(text, list(range(len(text)))) == text


def test_a_value_in_what_is_no_json_is_found():
    assert json_streamed("mail joe.fake@example.com now", [3, 9]) == '"mail [EMAIL:20] now"'


def mangled_text(random: Random) -> str:
    return random_text(random, (*FORMS, *NOT_FORMS, *ATOMS))


def mangled_json(random: Random) -> str:
    said = {mangled_text(random): [mangled_text(random), random.choice([1, None, "<EMAIL_1>"])]}
    return _escaped_somehow(random, json.dumps(said))


RESTORED = placeholders(VAULT.entities)
KINDS = {
    "text": (200_000, random_text, text_window),
    "arguments": (40_000, json_text, json_window),
    "restored text": (40_000, mangled_text, lambda: text_window(RESTORED, Restorer(VAULT))),
    "restored arguments": (40_000, mangled_json, lambda: json_window(RESTORED, Restorer(VAULT))),
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_the_law_over_many_splits(kind):
    wanted, make, window = KINDS[kind]
    random = Random(20261123)
    splits = 0
    while splits < wanted:
        text = make(random)
        at_once = window()
        expected = joined(at_once.feed(text) + at_once.flush())
        assert kind != "text" or expected == whole(MATCHER, text)
        for _ in range(20):
            splits += 1
            assert fed(window(), pieces(text, random_cuts(random, text)), expected) == expected


def test_arguments_that_are_no_json_are_not_held_to_their_end():
    window = JsonWindow(lambda: Scanner(MATCHER, 1000), named)
    most = 0
    for _ in range(1000):
        window.feed("plain words ")
        most = max(most, window.held)
    assert most < 3000


def test_long_arguments_that_are_no_json_keep_the_law():
    random = Random(1)
    words = ["words ", "joe.fake@example.com ", "12 ", "é", ", ", "{", "4111111111111112 "]
    for _ in range(60):
        text = "".join(random.choice(words) for _ in range(random.randint(100, 500)))
        window = json_window()
        expected = joined(window.feed(text) + window.flush())
        for _ in range(5):
            assert fed(json_window(), pieces(text, random_cuts(random, text)), expected) == expected
