"""Messages that are streamed in place of deltas."""

from __future__ import annotations

import json
from typing import Any

import pytest

from orq_core import to_dict
from orq_core.testing import DONE, Mode, chunk, stream
from tests.plugins.redaction.test_calls import MAIL, redaction
from tests.plugins.redaction.texts import NEVER
from tests.plugins.talk import Talk

END = chunk(finish_reason="stop")
PIECES = ("hi, ask joe.f", "ake@exam", "ple.com or", "or joe.f")
SOFAR = tuple("".join(PIECES[: at + 1]) for at in range(len(PIECES)))
SAID = "hi, ask [EMAIL] oror joe.f"


def instead(content: Any, **message: Any) -> dict[str, Any]:
    made = chunk()
    del made["choices"][0]["delta"]
    made["choices"][0]["message"] = {"role": "assistant", "content": content, **message}
    return made


def got(mode: Mode, *events: Any, **settings: Any) -> Any:
    plugins = [redaction(**settings)]
    answer = Talk(mode, stream(*events), plugins=plugins, on_truncation="accept").one(stream=True)
    assert answer.error is None
    chunks = json.dumps([to_dict(each) for each in answer.chunks])
    assert "example" not in chunks or settings
    return answer.completion


@pytest.mark.parametrize(
    "end", [(END, DONE), (chunk(""), END, DONE), ()], ids=["", "empty", "none"]
)
@pytest.mark.parametrize("contents", [SOFAR[-1:], SOFAR, PIECES], ids=["one", "repeated", "pieces"])
def test_their_content_is_one_text(mode: Mode, contents, end):
    events = [instead(each) for each in contents]
    assert got(mode, *events, *end).text == SAID
    assert got(mode, *events, *end, detectors=NEVER).text == SOFAR[-1]


def test_a_message_that_says_why_it_ends(mode: Mode):
    made = instead(SOFAR[-1])
    made["choices"][0]["finish_reason"] = "stop"
    assert got(mode, made, DONE).text == SAID


def test_everything_else_in_them(mode: Mode):
    arguments = json.dumps({"to": MAIL})
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": arguments}}
    events = [instead([{"type": "text", "text": MAIL}], reasoning=MAIL, tool_calls=[call]), END]
    message = got(mode, *events, DONE).choices[0].message
    assert message.content == [{"type": "text", "text": "[EMAIL]"}]
    assert message.reasoning == "[EMAIL]"
    assert message.tool_calls[0].function.arguments == '{"to": "[EMAIL]"}'


def test_a_message_beside_a_delta(mode: Mode):
    made = chunk(f"ask {MAIL}.")
    made["choices"][0]["message"] = {"content": f"ask {MAIL}."}
    completion = got(mode, made, END, DONE)
    assert completion.text == "ask [EMAIL]."
