"""Texts in lists of parts: nothing is lost, nothing altered for nothing, nothing gets out."""

from __future__ import annotations

import json
from random import Random
from typing import Any

import pytest

from orq_core import to_dict
from orq_core.testing import DONE, Mode, chunk, completion, reply, stream
from tests.plugins.redaction.test_calls import MAIL, redaction
from tests.plugins.redaction.texts import NEVER
from tests.plugins.talk import Talk

END = chunk(finish_reason="stop")


def text(said: str, **more: Any) -> dict[str, Any]:
    return {"type": "text", "text": said, **more}


def thinking(said: str) -> dict[str, Any]:
    return {"type": "thinking", "thinking": [text(said)]}


def content(given: Any) -> dict[str, Any]:
    made = chunk("")
    made["choices"][0]["delta"]["content"] = given
    return made


def said(mode: Mode, given: Any, **talk: Any) -> Any:
    """Return the message that a caller gets."""
    is_stream = given.headers["Content-Type"] == "text/event-stream"
    answer = Talk(mode, given, on_truncation="accept", **talk).one(stream=is_stream)
    assert answer.error is None
    return answer.completion.choices[0].message


def redacted(mode: Mode, given: Any, **settings: Any) -> Any:
    return said(mode, given, plugins=[redaction(**settings)])


ENDS = pytest.mark.parametrize(
    "end", [(END, DONE), (chunk("", finish_reason="stop"), DONE), ()], ids=["", "empty", "none"]
)


@ENDS
@pytest.mark.parametrize("part", [text, thinking])
def test_the_end_of_a_streamed_list_comes_out(mode: Mode, part, end):
    events = [content([part(each)]) for each in ("hi there, ask joe.f", "ake@exam", "ple.com or")]
    assert redacted(mode, stream(*events, *end)).content == [part("hi there, ask [EMAIL] or")]


@ENDS
def test_a_list_is_followed_by_strings(mode: Mode, end):
    events = [content([thinking("I think")]), chunk("ask joe.f"), chunk("ake@exam")]
    events += [content([text("ple.com or")]), chunk(" so")]
    assert redacted(mode, stream(*events, *end)).content == [
        thinking("I think"),
        text("ask [EMAIL] or so"),
    ]


LISTS: list[dict[str, Any]] = [
    {
        "reasoning_details": [
            {"type": "reasoning.text", "text": "I think so", "signature": "s", "index": 0},
            {"type": "reasoning.text", "text": "and so on", "signature": "t", "index": 0},
            {"type": "reasoning.encrypted", "data": "QUJD"},
        ]
    },
    {"content": [{"type": "thinking", "thinking": "I think", "signature": "s"}, text("so", a=[1])]},
    {"content": [thinking("I think"), text("so"), thinking("and"), text("so on"), "more", 1]},
    {"content": text("so")},
    {"annotations": [{"type": "url_citation", "url_citation": {"title": "so"}}]},
]


@pytest.mark.parametrize("fields", LISTS, ids=str)
def test_lists_in_which_nothing_is_found_stay_as_they_are(mode: Mode, fields):
    body = completion("ok")
    body["choices"][0]["message"].update(fields)
    assert to_dict(redacted(mode, reply(body))) == to_dict(said(mode, reply(body)))
    given = chunk("", finish_reason="stop")
    given["choices"][0]["delta"].update(fields)
    at_once = stream(given, DONE)
    assert to_dict(redacted(mode, at_once)) == to_dict(said(mode, at_once))


def test_only_the_parts_of_a_match_are_changed(mode: Mode):
    texts = ("signed so", "ask joe.f", "ake@exam", "ple.com or joe", "signed too")
    details = [text(each, signature=each[:3], index=0) for each in texts]
    body = completion("ok", reasoning_details=details)
    got = redacted(mode, reply(body)).reasoning_details
    goes = ("signed so", "ask [EMAIL]", "", " or joe", "signed too")
    assert got == [{**part, "text": each} for part, each in zip(details, goes, strict=True)]


def test_a_match_that_is_dropped(mode: Mode):
    details = [text(each, index=0) for each in ("ask joe.f", "ake@example.com", " or so")]
    body = completion("ok", reasoning_details=details)
    got = redacted(mode, reply(body), answer_action="drop").reasoning_details
    assert [part["text"] for part in got] == ["ask ", "", " or so"]


@pytest.mark.parametrize("given", [text(f"ask {MAIL}"), [f"ask {MAIL}"]], ids=["object", "strings"])
def test_contents_of_other_shapes(mode: Mode, given):
    expected = json.loads(json.dumps(given).replace(MAIL, "[EMAIL]"))
    body = completion("")
    body["choices"][0]["message"]["content"] = given
    assert redacted(mode, reply(body)).content == expected
    streamed = redacted(mode, stream(content(given), END, DONE)).content
    assert streamed in (expected, ["ask ", "[EMAIL]"])


def any_events(random: Random) -> list[dict[str, Any]]:
    """Make the content of a stream of lists and strings, one way and then the other."""
    pieces = ("ask ", "jo", "e.fa", "ke@exam", "ple.com", " or", "12")
    events: list[dict[str, Any]] = []
    for _ in range(random.randint(1, 10)):
        made = [random.choice((text, text, thinking))(random.choice(pieces)) for _ in range(2)]
        given = random.choice((made[:1], made, random.choice(pieces)))
        events.append(content(given))
    return events


def told(given: Any) -> list[str]:
    """Return the texts of a content, by type."""
    parts = [text(given)] if isinstance(given, str) else given or []
    texts = "".join(part["text"] for part in parts if "text" in part)
    inner = [each for part in parts for each in part.get("thinking", ())]
    return [texts, "".join(part["text"] for part in inner)]


@pytest.mark.parametrize("seed", range(30))
def test_everything_that_was_held_comes_out(mode: Mode, seed: int):
    given = stream(*any_events(Random(seed)), END, DONE)
    plain = said(mode, given).content
    assert told(redacted(mode, given, detectors=NEVER).content) == told(plain)
    assert MAIL not in json.dumps(redacted(mode, given).content)
