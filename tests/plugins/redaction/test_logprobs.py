"""Log probabilities spell nothing that was masked, in whichever field it was."""

from __future__ import annotations

import json
from typing import Any

import pytest

from orq_core import to_dict
from orq_core.testing import DONE, Mode, chunk, completion, reply, stream
from tests.plugins.redaction.test_calls import MAIL, redaction
from tests.plugins.talk import Talk

CALL = {"id": "c", "type": "function", "function": {"name": "f", "arguments": f'{{"a":"{MAIL}"}}'}}
PARTS_OF_A_SMILE = {r"\xf0\x9f": b"\xf0\x9f", r"\x98\x80": b"\x98\x80"}


def spelling(*tokens: str) -> dict[str, Any]:
    def raw(token: str) -> list[int]:
        return list(PARTS_OF_A_SMILE.get(token, token.encode()))

    return {"content": [{"token": each, "bytes": raw(each)} for each in tokens]}


def spelt(answer: Any) -> list[str]:
    choices = [each.choices[0] for each in answer.chunks or [answer.completion]]
    given = [choice.logprobs.content or [] for choice in choices if choice.logprobs]
    return [token.token for tokens in given for token in tokens]


@pytest.mark.parametrize(
    "said",
    [
        {"content": "ok", "reasoning": f"ask {MAIL}"},
        {"content": None, "tool_calls": [CALL]},
        {"content": [{"type": "text", "text": f"ask {MAIL}"}]},
    ],
    ids=["reasoning", "arguments", "parts"],
)
def test_what_was_masked_elsewhere_is_not_spelt(mode: Mode, said):
    body = completion("")
    body["choices"][0]["message"].update(said)
    body["choices"][0]["logprobs"] = spelling("ask", " joe.fake@", "example.com", "ok")
    answer = Talk(mode, reply(body), plugins=[redaction()]).one(logprobs=True)
    assert "joe" not in json.dumps(to_dict(answer.completion))


def test_tokens_that_come_after_their_text(mode: Mode):
    late = chunk("")
    late["choices"][0]["logprobs"] = spelling("joe.fake@", "example.com", " it", " is")
    given = stream(chunk(f"{MAIL} it is"), late, chunk(finish_reason="stop"), DONE)
    answer = Talk(mode, given, plugins=[redaction()]).one(stream=True, logprobs=True)
    assert answer.text == "[EMAIL] it is"
    assert "joe" not in json.dumps([to_dict(each) for each in answer.chunks])


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
def test_parts_of_a_character_are_told_by_their_bytes(mode: Mode, streamed):
    tokens = ["\u00fc ", *PARTS_OF_A_SMILE, " ", "joe.fake@", "example.com", " \u00e9t\u00e9"]
    made = chunk("x") if streamed else completion("x")
    (choice,) = made["choices"]
    choice["delta" if streamed else "message"]["content"] = f"ü \U0001f600 {MAIL} été"
    choice["logprobs"] = spelling(*tokens)
    given = stream(made, chunk(finish_reason="stop"), DONE) if streamed else reply(made)
    answer = Talk(mode, given, plugins=[redaction()]).one(stream=streamed, logprobs=True)
    assert answer.text == "ü \U0001f600 [EMAIL] été"
    assert spelt(answer) == [*tokens[:4], tokens[-1]]


@pytest.mark.parametrize("odd", [[{"token": "ok", "bytes": [300]}], [{"token": "o"}], []])
def test_tokens_that_do_not_spell_their_text_are_left_out(mode: Mode, odd):
    body = completion("\ud83d ok")
    body["choices"][0]["logprobs"] = {"content": odd}
    answer = Talk(mode, reply(body), plugins=[redaction()]).one(logprobs=True)
    assert answer.error is None
    assert spelt(answer) == []


def test_the_tokens_of_a_content_in_parts(mode: Mode):
    texts = ["ask", " joe.f", "ake@", "example.com", " please"]
    events = []
    for each in texts:
        made = chunk("")
        made["choices"][0]["delta"]["content"] = [{"type": "text", "text": each}]
        made["choices"][0]["logprobs"] = spelling(each)
        events.append(made)
    given = stream(*events, chunk(" now", finish_reason="stop"), DONE)
    answer = Talk(mode, given, plugins=[redaction()]).one(stream=True, logprobs=True)
    assert answer.text == "ask [EMAIL] please now"
    assert spelt(answer) == ["ask", " please"]
