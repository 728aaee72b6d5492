"""The law through the plugin: every field of several choices and tool calls, in any mixture."""

from __future__ import annotations

import json
from random import Random
from typing import Any

import pytest

from orq_core import to_dict
from orq_core.testing import DONE, Mode, chunk, completion, reply, stream
from orq_plugins.redaction import Redaction
from tests.plugins.redaction.test_law import FORMS
from tests.plugins.redaction.texts import ATOMS, SMALL, random_text
from tests.plugins.talk import Talk

SAID = (*ATOMS, *(form for form in FORMS if "mail" in form.lower()))
FIELDS = ("content", "reasoning", "reasoning_content", "refusal")
ASKED = [{"role": "user", "content": 'I am me@here.example.org, "q"@x.example.org'}]
CALLS = 2


def message(random: Random) -> dict[str, Any]:
    """Make texts for all fields and arguments of a message, with values and placeholders."""
    whole, cut = (
        json.dumps({"n": [5500000000000004, random_text(random)], "to": random_text(random, SAID)})
        for _ in range(CALLS)
    )
    arguments = (whole, cut[: random.randint(1, len(cut))])
    calls = [
        {"id": f"c{at}", "type": "function", "function": {"name": "f", "arguments": each}}
        for at, each in enumerate(arguments)
    ]
    return {**{name: random_text(random, SAID) for name in FIELDS}, "tool_calls": calls}


def events(random: Random, messages: list[dict[str, Any]]) -> list[Any]:
    """Cut messages into chunks that come in any order, each text in its own."""
    parts: list[Any] = []
    left: dict[tuple[int, Any], str] = {}
    for index, given in enumerate(messages):
        left |= {(index, name): given[name] for name in FIELDS}
        for at, call in enumerate(given["tool_calls"]):
            left[index, at] = call["function"]["arguments"]
            begun = {**call, "index": at, "function": {"name": "f", "arguments": ""}}
            parts.append(chunk(index=index, tool_calls=[begun]))
    while left:
        index, name = random.choice(list(left))
        size = random.randint(1, 5)
        piece, rest = left[index, name][:size], left[index, name][size:]
        call = {"index": name, "function": {"arguments": piece}}
        delta = {name: piece} if isinstance(name, str) else {"tool_calls": [call]}
        parts.append(chunk(index=index, **delta))
        left[index, name] = rest
        if not rest:
            del left[index, name]
        if not any(place == index for place, _ in left):
            parts.append(chunk(index=index, finish_reason="tool_calls"))
    return parts


def told(choices: Any) -> list[Any]:
    """Return what was said in each choice, as JSON data."""
    said = [to_dict(choice.message) for choice in choices]
    return [
        {
            **{name: each[name] for name in FIELDS},
            "arguments": [call["function"]["arguments"] for call in each["tool_calls"]],
        }
        for each in said
    ]


@pytest.mark.parametrize("seed", range(25))
def test_any_mixture_of_fields_gives_what_the_whole_answer_gives(mode: Mode, seed: int):
    random = Random(seed)
    messages = [message(random) for _ in range(2)]
    body = completion("", finish_reason="tool_calls")
    first = body["choices"][0]
    body["choices"] = [{**first, "index": at, "message": m} for at, m in enumerate(messages)]
    whole = Talk(mode, reply(body), plugins=[Redaction(detectors=SMALL)]).one(messages=ASKED)
    expected = told(whole.completion.choices)
    for each in expected:
        json.loads(each["arguments"][0])

    given = stream(*events(random, messages), DONE)
    talk = Talk(mode, given, plugins=[Redaction(detectors=SMALL)])
    answer = talk.one(messages=ASKED, stream=True)
    assert told(answer.completion.choices) == expected

    out = {(at, name): "" for at in range(2) for name in (*FIELDS, *range(CALLS))}
    for each in answer.chunks:
        (choice,) = each.choices
        for name in FIELDS:
            out[choice.index, name] += getattr(choice.delta, name) or ""
        for call in choice.delta.tool_calls or []:
            out[choice.index, call.index] += (call.function and call.function.arguments) or ""
        for (index, name), text in out.items():
            full = expected[index]
            whole_text = full[name] if isinstance(name, str) else full["arguments"][name]
            assert whole_text.startswith(text)
