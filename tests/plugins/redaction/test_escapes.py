"""Escapes of JSON in the texts of a request hide nothing."""

from __future__ import annotations

import json
from itertools import pairwise
from random import Random
from typing import Any

import pytest

from orq_core.testing import Mode, completion, echo, reply
from orq_core.testing.received import Received
from orq_plugins.redaction import DEFAULT, CallableDetector, Redaction
from orq_plugins.redaction.escapes import find
from orq_plugins.redaction.matcher import Matcher
from tests.plugins.redaction.texts import SMALL, random_text
from tests.plugins.talk import Talk

DEFAULTS = Matcher.of(DEFAULT)
# The last one's values may have quotes and backslashes in them.
MATCHER = Matcher.of(SMALL[:-1])

SEEN = r'see {"to": "hi\n<EMAIL_1>\n"} and <EMAIL_1>'
QUOTED = [
    (r'{"to": "joe.fake\u0040example.com"}', '{"to": "<EMAIL_1>"}'),
    (r'see {"to": "hi\njoe.fake@example.com\n"} and joe.fake@example.com', SEEN),
    (r'{"tel": "call\n+49 170 1234567"}', r'{"tel": "call\n<PHONE_1>"}'),
    (r'{"ip": "\t192.0.2.7\n"}', r'{"ip": "\t<IPV4_1>\n"}'),
    (r"{\"password\": \"Fake-Pa55word\"}", r"{\"password\": \"<SECRET_1>\"}"),
    (r'"{\"a\": \"x\\njoe.fake@example.com\"}"', r'"{\"a\": \"x\\n<EMAIL_1>\"}"'),
    (r"curl -d 'password=Fake-Pa55word\n'", r"curl -d 'password=<SECRET_1>\n'"),
    (r"C:\fake\new \d{4} \frac12 \ x", r"C:\fake\new \d{4} \frac12 \ x"),
]


@pytest.mark.parametrize(("text", "goes"), QUOTED)
def test_a_text_that_quotes_json(mode: Mode, text: str, goes: str):
    talk = Talk(mode, reply(completion("<EMAIL_1> <PHONE_1>")), plugins=[Redaction()])
    answer = talk.one(messages=[{"role": "user", "content": text}])
    said = json.loads(talk.transport.requests[0].body)["messages"][0]["content"]
    assert said == goes
    if "<EMAIL_1>" in said:
        assert answer.text.startswith("joe.fake@example.com ")


@pytest.mark.parametrize("where", ["arguments", "result"])
def test_json_in_json(mode: Mode, where: str):
    inner = json.dumps({"note": "hi\n192.0.2.7", "api_key": "f4k3a1b2c3d4e5z6"})
    said = json.dumps({"text": inner})
    function = {"name": "f", "arguments": said if where == "arguments" else "{}"}
    history: list[dict[str, Any]] = [
        {"role": "assistant", "tool_calls": [{"id": "c", "type": "function", "function": function}]}
    ]
    if where == "result":
        history.append({"role": "tool", "tool_call_id": "c", "content": said})
    talk = Talk(mode, reply(completion("ok")), plugins=[Redaction()])
    talk.one(messages=history)
    message = json.loads(talk.transport.requests[0].body)["messages"][-1]
    goes = message.get("content") or message["tool_calls"][0]["function"]["arguments"]
    expected = {"note": "hi\n<IPV4_1>", "api_key": "<SECRET_1>"}
    assert json.loads(json.loads(goes)["text"]) == expected


def test_a_value_that_sticks_out_is_covered_whole():
    # Read as JSON the word would end at the line's end.
    text = r"password=Abcdef9\nX9!kkzz now"
    assert [text[each.start : each.end] for each in find(DEFAULTS, text)] == [r"Abcdef9\nX9!kkzz"]


@pytest.mark.parametrize(
    "secret", [r"-----BEGIN PRIVATE KEY-----\nZmFrZQ==\n-----END PRIVATE KEY-----", "joe@fake.test"]
)
def test_what_quotes_json_comes_back_as_it_was(mode: Mode, secret: str):
    text = f'{{"note": "hi\\n{secret}"}}'
    talk = Talk(mode, lambda http: echo(Received("", "/", {}, http.body)), plugins=[Redaction()])
    answer = talk.one(messages=[{"role": "user", "content": text}])
    assert secret not in talk.transport.requests[0].body.decode()
    assert answer.text.endswith(text)


def read(value: str) -> str:
    """Read a value that is written with escapes of JSON."""
    while "\\" in value:
        value = json.loads(f'"{value}"')
    return value


@pytest.mark.parametrize("seed", range(100))
def test_what_is_found_in_a_text_is_found_in_its_json(seed: int):
    random = Random(seed)
    text = random_text(random)
    plain = [(each.entity, text[each.start : each.end]) for each in MATCHER.all(text)]
    quoted = text
    for _ in range(random.randint(1, 3)):
        quoted = json.dumps(f"\n{quoted}\n", ensure_ascii=False)
    found = find(MATCHER, quoted)
    assert [(each.entity, read(each.value)) for each in found] == plain
    assert all(one.end <= other.start for one, other in pairwise(found))


def test_a_function_sees_the_text_behind_escapes():
    def names(text: str) -> list[tuple[int, int, str]]:
        at = text.find("Zoë")
        return [] if at < 0 else [(at, at + 3, "NAME")]

    matcher = Matcher.of([CallableDetector("NAMES", names)])
    found = find(matcher, 'name": "Zo\\u00eb Fake \\u00eb', len('name": "'))
    assert [(each.start, each.end, each.value) for each in found] == [(8, 16, "Zoë")]
