"""Tool calls are told apart as they are added up, whatever servers call their pieces."""

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


def piece(arguments: str, **given: Any) -> dict[str, Any]:
    name = {"name": given.pop("name")} if "name" in given else {}
    return {**given, "function": {**name, "arguments": arguments}}


def called(mode: Mode, *pieces: dict[str, Any], **talk: Any) -> list[tuple[str, str]]:
    """Return the names and arguments that a caller gets."""
    events = [chunk(tool_calls=[each]) for each in pieces]
    given = stream(*events, chunk(finish_reason="tool_calls"), DONE)
    calls = Talk(mode, given, **talk).one(stream=True).completion.choices[0].message.tool_calls
    return [(each.function.name, each.function.arguments) for each in calls]


def test_a_new_id_with_every_piece(mode: Mode):
    pieces = (
        piece('{"to": "joe.fake@exam', index=0, id="a", name="mail"),
        piece('ple.com", "n": ', index=0, id="b"),
        piece("1}", index=0, id="c"),
    )
    assert called(mode, *pieces, plugins=[redaction()]) == [("mail", '{"to": "[EMAIL]", "n": 1}')]


def test_calls_that_are_told_by_their_ids_alone(mode: Mode):
    pieces = (
        piece('{"to": "joe.fake@exam', id="1", name="f"),
        piece('{"n":', id="2", name="g"),
        piece('ple.com"}', id="1", name="f"),
        piece(" 12", id="2", name="g"),
    )
    expected = [("f", '{"to": "[EMAIL]"}'), ("g", '{"n": 12')]
    assert called(mode, *pieces, plugins=[redaction()]) == expected


def test_calls_without_index_and_id(mode: Mode):
    pieces = (
        piece('{"to": "joe.fake@exam', name="f"),
        piece('ple.com", "n": 1'),
        piece('{"to": "joe', name="g"),
        piece(".fake"),
    )
    expected = [("f", '{"to": "[EMAIL]", "n": 1'), ("g", '{"to": "joe.fake')]
    assert called(mode, *pieces, plugins=[redaction()]) == expected


def custom(**given: Any) -> dict[str, Any]:
    return {"index": 0, "type": "custom", "custom": given}


def test_the_input_of_a_custom_tool(mode: Mode):
    call = {"id": "c", "type": "custom", "custom": {"name": "f", "input": f'say "{MAIL}"'}}
    body = completion(None, finish_reason="tool_calls", tool_calls=[call])
    whole = Talk(mode, reply(body), plugins=[redaction()]).one().completion
    assert whole.choices[0].message.tool_calls[0].extra == {
        "custom": {"name": "f", "input": 'say "[EMAIL]"'}
    }


@pytest.mark.parametrize("end", [(chunk(finish_reason="tool_calls"), DONE), ()])
def test_the_streamed_input_of_a_custom_tool(mode: Mode, end):
    pieces = (
        custom(name="f", input="say joe.f"),
        custom(input="ake@example"),
        custom(input=".com or joe"),
    )
    events = [chunk(tool_calls=[each]) for each in pieces]
    talk = Talk(mode, stream(*events, *end), plugins=[redaction()], on_truncation="accept")
    answer = talk.one(stream=True)
    (call,) = answer.completion.choices[0].message.tool_calls
    assert call.extra == {"custom": {"name": "f", "input": "say [EMAIL] or joe"}}
    assert "example" not in json.dumps([to_dict(each) for each in answer.chunks])


def any_pieces(random: Random) -> list[dict[str, Any]]:
    """Make pieces under any names, as no good server would."""
    pieces: list[dict[str, Any]] = []
    for _ in range(random.randint(1, 12)):
        given: dict[str, Any] = {}
        if random.random() < 0.6:
            given["index"] = random.choice((0, 0, 1))
        if random.random() < 0.5:
            given["id"] = random.choice(("a", "b") if "index" in given else ("c", "d"))
        if random.random() < 0.4:
            given["name"] = random.choice(("f", "g", "fg"))
        arguments = random.choice(('{"to": "', "jo", "e.fa", "ke@exam", "ple.com", '", ', "12", ""))
        pieces.append(piece(arguments, **given))
    return pieces


@pytest.mark.parametrize("seed", range(40))
def test_no_call_is_put_together_that_was_not_looked_at(mode: Mode, seed: int):
    pieces = any_pieces(Random(seed))
    plain = called(mode, *pieces)
    held = called(mode, *pieces, plugins=[redaction(detectors=NEVER)])
    assert [arguments for _, arguments in held] == [arguments for _, arguments in plain]
    got = called(mode, *pieces, plugins=[redaction()])
    assert len(got) == len(plain)
    assert MAIL not in json.dumps(got)
