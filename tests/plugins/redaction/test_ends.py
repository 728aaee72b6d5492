"""What is held goes out with the finish_reason, but not with one that ends nothing."""

from __future__ import annotations

import json
from typing import Any

import pytest

from orq_core import to_dict
from orq_core.testing import DONE, Cut, Mode, chunk, stream
from tests.plugins.redaction.test_calls import MAIL, redaction, split, user
from tests.plugins.talk import Talk

ROLE = chunk("", role="assistant")
END = chunk(finish_reason="stop")
USAGE = {**chunk(), "choices": [], "usage": {"total_tokens": 3}}


def got(mode: Mode, *events: Any) -> Any:
    talk = Talk(mode, stream(*events), plugins=[redaction()], on_truncation="accept")
    return talk.one(messages=user("I am me@here.example.org"), stream=True)


@pytest.mark.parametrize("begun", [(), (ROLE,), (chunk("", finish_reason="stop"),)], ids=len)
@pytest.mark.parametrize("size", [1, 5, 11])
def test_a_finish_reason_with_every_event(mode: Mode, begun, size):
    events = split(f"ask {MAIL} or <EMAIL_1> now", size)
    for each in events:
        each["choices"][0]["finish_reason"] = "stop"
    answer = got(mode, *begun, *events, USAGE, DONE)
    assert answer.text == "ask [EMAIL] or me@here.example.org now"
    assert "joe" not in json.dumps([to_dict(each) for each in answer.chunks])
    assert answer.completion.choices[0].finish_reason == "stop"
    assert answer.completion.usage.total_tokens == 3


@pytest.mark.parametrize("ends", [(DONE,), (USAGE, DONE), (END, DONE), (), (Cut(),)], ids=str)
def test_an_answer_in_one_event(mode: Mode, ends):
    answer = got(mode, ROLE, chunk("ask joe", finish_reason="stop"), *ends)
    assert answer.text == "ask joe"
    said = answer.chunks[1].choices[0]
    assert (said.delta.content, said.finish_reason) == ("ask joe", "stop")


def test_the_end_of_most_answers_waits_for_nothing(mode: Mode):
    events = (ROLE, chunk("ask "), chunk("jo"), chunk("e", finish_reason="stop"), USAGE, DONE)
    answer = got(mode, *events)
    assert [each.text for each in answer.chunks] == ["", "ask ", "", "joe", ""]
    assert len(answer.chunks[-1].choices) == 0


def test_a_finish_reason_that_is_repeated(mode: Mode):
    answer = got(mode, chunk("ask "), chunk("joe", finish_reason="stop"), END, DONE)
    assert [each.text for each in answer.chunks] == ["ask ", "joe", ""]


def test_an_odd_index_with_every_event(mode: Mode):
    events = [
        chunk(each, index=[1], finish_reason="stop") for each in ("ask joe.f", f"{MAIL[5:]} ")
    ]
    answer = got(mode, *events, DONE)
    assert answer.error is None
    assert "".join(each.text for each in answer.chunks) == "ask [EMAIL] "


def test_audit_keeps_nothing_back(mode: Mode):
    events = split(f"ask {MAIL} now", 4)
    for each in events:
        each["choices"][0]["finish_reason"] = "stop"
    talk = Talk(mode, stream(*events, DONE), plugins=[redaction(mode="audit")])
    answer = talk.one(stream=True)
    assert [each.text for each in answer.chunks] == [
        each["choices"][0]["delta"]["content"] for each in events
    ]
    assert answer.note("redaction")["answer"] == {"EMAIL": {"mask": 1}}
