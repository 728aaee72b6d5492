"""Redaction around calls: what is sent, what comes back, and what is told of it."""

from __future__ import annotations

import copy
import json
import pickle
import subprocess
import sys
from typing import Any

import attrs
import pytest

from orq_core import (
    ConfigurationError,
    PluginError,
    ResponseDecodeError,
    hookimpl,
    observe,
    to_dict,
)
from orq_core.testing import DONE, Cut, Mode, chunk, completion, echo, event, reply, stream
from orq_core.testing.received import Received
from orq_plugins import Caching
from orq_plugins.redaction import (
    DEFAULT,
    CallableDetector,
    ContentBlockedError,
    Detector,
    Redaction,
    Vault,
)
from orq_plugins.redaction.settings import Settings, digest_of
from tests.plugins.redaction.texts import SMALL
from tests.plugins.talk import Talk

MAIL = "joe.fake@example.com"
CARD = "4111 1111 1111 1112"


def redaction(**given: Any) -> Redaction:
    return Redaction(**{"detectors": SMALL, **given})


def user(text: Any) -> list[dict[str, Any]]:
    return [{"role": "user", "content": text}]


def sent(talk: Talk, at: int = 0) -> Any:
    return json.loads(talk.transport.requests[at].body)


def echoes(http: Any) -> Any:
    return echo(Received(http.method, "/", http.headers, http.body))


def split(text: str, size: int = 3, **delta: Any) -> list[Any]:
    return [chunk(text[at : at + size], **delta) for at in range(0, len(text), size)]


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
def test_a_value_goes_out_as_a_placeholder_and_comes_back(mode: Mode, streamed):
    talk = Talk(mode, echoes, plugins=[redaction()])
    answer = talk.one(messages=user(f"Write to {MAIL} or {MAIL}"), stream=streamed)
    assert sent(talk)["messages"][0]["content"] == "Write to <EMAIL_1> or <EMAIL_1>"
    assert answer.text.endswith(f"Write to {MAIL} or {MAIL}")
    note = answer.note("redaction")
    assert note["request"] == {"EMAIL": {"placeholder": 2}}
    assert note["restored"] == 2
    assert MAIL not in str(answer.info.notes)


def test_the_callers_request_is_not_changed(mode: Mode):
    messages = user(f"Write to {MAIL}")
    before = copy.deepcopy(messages)
    Talk(mode, echoes, plugins=[redaction()]).one(messages=messages)
    assert messages == before


def test_every_place_in_a_request(mode: Mode):
    calls = [
        {
            "id": "call_1",
            "type": "function",
            "function": {"name": "send", "arguments": r'{"to": "joe.fake\u0040example.com"}'},
        }
    ]
    messages = [
        {"role": "system", "content": f"s {MAIL}"},
        {"role": "developer", "content": f"d {MAIL}"},
        {"role": "user", "content": [{"type": "text", "text": f"u {MAIL}"}], "name": MAIL},
        {"role": "assistant", "content": None, "refusal": f"r {MAIL}", "tool_calls": calls},
        {
            "role": "tool",
            "tool_call_id": "call_1",
            "content": '{"got": "joe.fake\\u0040example.com"}',
        },
        {"role": "tool", "tool_call_id": "call_1", "content": f"plain {MAIL}"},
        {"role": "assistant", "content": f"a {MAIL}", "reasoning_content": f"c {MAIL}"},
        {"role": "future", "content": f"f {MAIL}", "notes": [{"deep": MAIL}]},
    ]
    talk = Talk(mode, reply(completion("ok")), plugins=[redaction()])
    answer = talk.one(
        messages=messages,
        variables={"address": MAIL, "list": [MAIL], "card": 4111111111111112, "n": 5},
        metadata={"who": MAIL},
        orq={"inputs": {"address": MAIL}, "prompt": {"id": "p", "variables": {"a": MAIL}}},
        extra_body={"prediction": {"type": "content", "content": MAIL}},
    )
    body = talk.transport.requests[0].body.decode()
    assert answer.error is None
    assert "joe.fake" not in body
    assert "4111111111111112" not in body
    received = sent(talk)
    assert received["variables"]["n"] == 5
    assert received["messages"][3]["tool_calls"][0]["function"]["arguments"] == (
        '{"to": "<EMAIL_1>"}'
    )
    assert received["messages"][4]["content"] == '{"got": "<EMAIL_1>"}'
    assert body.count("<EMAIL_1>") == 18


@pytest.mark.parametrize(
    "body",
    [
        {"messages": [*user(MAIL), MAIL]},
        {"messages": {"0": MAIL}},
        {"messages": [{"role": ["tool"], "content": [{"type": ["text"], "text": MAIL}, [MAIL]]}]},
        {"messages": [{"role": "user", "content": {"type": "text", "text": MAIL}}]},
        {"variables": {"address": MAIL}, "metadata": {"who": MAIL}},
        {"orq": {"inputs": [{"key": "a", "value": MAIL}], "prompt": {"variables": {"a": MAIL}}}},
        {"orq": MAIL, "metadata": MAIL},
    ],
    ids=str,
)
def test_what_replaces_a_field_of_the_request(mode: Mode, body):
    watcher = Watcher()
    talk = Talk(mode, reply(completion("ok")), plugins=[redaction(), watcher])
    answer = talk.one(extra_body=body, variables={"own": MAIL})
    assert answer.error is None
    assert "joe.fake" not in talk.transport.requests[0].body.decode()
    assert "joe.fake" not in repr([attrs.asdict(each) for each in watcher.requests])
    assert json.loads(json.dumps(body).replace(MAIL, "<EMAIL_1>")).items() <= sent(talk).items()


@pytest.mark.parametrize("orq", [None, {"prompt": None}, {"prompt": {"id": "p"}, "inputs": None}])
def test_an_older_container_without_values(mode: Mode, orq):
    talk = Talk(mode, reply(completion("ok")), plugins=[redaction()])
    talk.one(extra_body={"orq": orq})
    assert sent(talk)["orq"] == orq


def test_a_tools_result_in_parts_is_read_as_json(mode: Mode):
    result = [{"type": "text", "text": r'{"got": "joe.fake\u0040example.com"}'}]
    talk = Talk(mode, reply(completion("ok")), plugins=[redaction()])
    talk.one(messages=[{"role": "tool", "tool_call_id": "c", "content": result}])
    assert sent(talk)["messages"][0]["content"][0]["text"] == '{"got": "<EMAIL_1>"}'


@pytest.mark.parametrize("name", ["arguments", "input"])
def test_in_what_a_tool_is_given_no_name_is_passed_over(mode: Mode, name):
    given = {"id": MAIL, "type": [MAIL], "data": {"role": MAIL}, "n": 4111111111111112}
    part = {"type": "tool_use", "id": "call_1", "name": "f", name: given}
    talk = Talk(mode, reply(completion("ok")), plugins=[redaction()])
    talk.one(messages=[{"role": "assistant", "content": [part]}])
    (goes,) = sent(talk)["messages"][0]["content"]
    expected = {"id": "<EMAIL_1>", "type": ["<EMAIL_1>"], "data": {"role": "<EMAIL_1>"}}
    assert goes == {**part, name: {**expected, "n": "<CARD_1>"}}


def test_the_name_of_a_file_is_rewritten_and_nothing_in_it(mode: Mode):
    file = {"filename": f"{MAIL}.pdf", "file_data": "data:application/pdf;base64,QUJD"}
    talk = Talk(mode, reply(completion("ok")), plugins=[redaction()])
    talk.one(messages=user([{"type": "file", "file": file}]))
    (part,) = sent(talk)["messages"][0]["content"]
    assert part == {"type": "file", "file": {**file, "filename": "<EMAIL_1>"}}


@pytest.mark.parametrize(
    ("kind", "name"), [("input_file", "filename"), ("document", "title"), ("document", "filename")]
)
def test_files_of_other_servers_have_names_too(mode: Mode, kind, name):
    part = {"type": kind, name: f"{MAIL}.pdf", "file_url": "https://files.example.test/x"}
    talk = Talk(mode, reply(completion("ok")), plugins=[redaction()])
    talk.one(messages=user([part]))
    assert sent(talk)["messages"][0]["content"] == [{**part, name: "<EMAIL_1>"}]


@pytest.mark.parametrize("how", ["audit", "enforce"])
def test_audit_looks_into_no_more_than_is_redacted(mode: Mode, how):
    url = f"https://images.example.test/{MAIL}"
    file = {"type": "file", "file": {"filename": MAIL, "file_data": MAIL}}
    given = [{"type": "image_url", "image_url": {"url": url}}, file]
    talk = Talk(mode, reply(completion("ok")), plugins=[redaction(mode=how)])
    answer = talk.one(messages=user(given))
    assert answer.note("redaction")["request"] == {"EMAIL": {"placeholder": 1}}


ANSWER_FIELDS = ["content", "refusal", "reasoning", "reasoning_content"]


@pytest.mark.parametrize("name", ANSWER_FIELDS)
def test_every_text_of_a_streamed_answer(mode: Mode, name):
    text = f"ask {MAIL} or <EMAIL_1>."
    parts = [chunk(**{name: text[at : at + 2]}) for at in range(0, len(text), 2)]
    given = stream(*parts, chunk(finish_reason="stop"), DONE)
    talk = Talk(mode, given, plugins=[redaction()])
    answer = talk.one(messages=user("I am me@here.example.org"), stream=True)
    said = "".join(getattr(c.choices[0].delta, name) or "" for c in answer.chunks)
    assert said == "ask [EMAIL] or me@here.example.org."
    assert answer.note("redaction")["answer"] == {"EMAIL": {"mask": 1}}


@pytest.mark.parametrize("name", ANSWER_FIELDS)
def test_every_text_of_a_whole_answer(mode: Mode, name):
    body = completion("x")
    body["choices"][0]["message"][name] = f"ask {MAIL} or <EMAIL_1>."
    talk = Talk(mode, reply(body), plugins=[redaction()])
    answer = talk.one(messages=user("I am me@here.example.org"))
    message = answer.completion.choices[0].message
    assert getattr(message, name) == "ask [EMAIL] or me@here.example.org."


def test_several_choices_and_tool_calls_interleaved(mode: Mode):
    texts = {0: f"first {MAIL} end", 1: f"other {CARD} end <EMAIL_1>"}
    arguments = {0: json.dumps({"to": MAIL}), 1: json.dumps({"n": "<EMAIL_1>", "c": CARD})}
    parts: list[Any] = []
    for index in arguments:
        call = {"index": index, "id": f"c{index}", "function": {"name": "f", "arguments": ""}}
        parts.append(chunk(tool_calls=[call]))
    longest = max(map(len, [*texts.values(), *arguments.values()]))
    for at in range(0, longest, 2):
        for index, text in texts.items():
            if piece := text[at : at + 2]:
                parts.append(chunk(piece, index=index))
        calls = [
            {"index": index, "function": {"arguments": text[at : at + 2]}}
            for index, text in arguments.items()
            if text[at : at + 2]
        ]
        if calls:
            parts.append(chunk(tool_calls=calls))
    ends = [chunk(finish_reason="tool_calls"), chunk(finish_reason="stop", index=1)]
    talk = Talk(mode, stream(*parts, *ends, DONE), plugins=[redaction()])
    answer = talk.one(messages=user('mail "q"@x.example.org, me@x.example.org'), stream=True)
    choices = answer.completion.choices
    assert choices[0].message.content == "first [EMAIL] end"
    assert choices[1].message.content == "other [CARD] end me@x.example.org"
    calls = choices[0].message.tool_calls
    assert json.loads(calls[0].function.arguments) == {"to": "[EMAIL]"}
    assert json.loads(calls[1].function.arguments) == {"n": "me@x.example.org", "c": "[CARD]"}
    assert [choice.finish_reason for choice in choices] == ["tool_calls", "stop"]


def test_a_second_call_at_the_same_index(mode: Mode):
    parts = [
        chunk(
            tool_calls=[{"index": 0, "id": "a", "function": {"name": "f", "arguments": '{"x":1'}}]
        ),
        chunk(tool_calls=[{"index": 0, "id": "b", "function": {"name": "g", "arguments": "{}"}}]),
        chunk(finish_reason="tool_calls"),
    ]
    talk = Talk(mode, stream(*parts, DONE), plugins=[redaction()])
    answer = talk.one(stream=True)
    plain = Talk(mode, stream(*parts, DONE)).one(stream=True)
    assert to_dict(answer.completion) == to_dict(plain.completion)


def test_tool_arguments_are_restored_as_json(mode: Mode):
    secret = 'pass"word=\\n'
    detectors = (Detector("SECRET", r'pass"word=\\n'),)
    calls = [
        {
            "id": "c",
            "type": "function",
            "function": {"name": "f", "arguments": '{"s":"<SECRET_1>"}'},
        }
    ]
    body = completion(None, finish_reason="tool_calls", tool_calls=calls)
    talk = Talk(mode, reply(body), plugins=[redaction(detectors=detectors)])
    answer = talk.one(messages=user(f"it is {secret}"))
    arguments = answer.completion.choices[0].message.tool_calls[0].function.arguments
    assert json.loads(arguments) == {"s": secret}


def test_a_secret_is_put_back_without_its_name(mode: Mode):
    said = ["my password is Fake-Pa55word", '{"password": "Fake-Pa55word"}', "PWD=Fake-Pa55word"]
    arguments = '{"password": "<SECRET_1>"}'
    calls = [{"id": "c", "type": "function", "function": {"name": "f", "arguments": arguments}}]
    given = reply(completion("It is <SECRET_1>.", tool_calls=calls))
    talk = Talk(mode, given, plugins=[Redaction()])
    answer = talk.one(messages=[each for text in said for each in user(text)])
    assert [each["content"] for each in sent(talk)["messages"]] == [
        "my password is <SECRET_1>",
        '{"password": "<SECRET_1>"}',
        "PWD=<SECRET_1>",
    ]
    assert answer.text == "It is Fake-Pa55word."
    call = answer.completion.choices[0].message.tool_calls[0]
    assert call.function.arguments == '{"password": "Fake-Pa55word"}'


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
def test_a_secret_is_known_by_its_name_in_json(mode: Mode, streamed):
    looked_at: list[str] = []

    def find(text: str) -> list[tuple[int, int, str]]:
        looked_at.append(text)
        return []

    said = '{"user": "joe", "password": "Fake-Pa55word", "n": {"api_key": "f4k3a1b2c3d4e5z6"}}'
    own = '{"password": "0ther-Pa55word"}'
    calls = [{"id": "c", "type": "function", "function": {"name": "f", "arguments": said}}]
    history = [
        *user("hi"),
        {"role": "assistant", "tool_calls": calls},
        {"role": "tool", "tool_call_id": "c", "content": said},
    ]
    given = [{"index": 0, "id": "d", "function": {"name": "g", "arguments": ""}}]
    written = [chunk(tool_calls=given)]
    for at in range(0, len(own), 7):
        piece = {"index": 0, "function": {"arguments": own[at : at + 7]}}
        written.append(chunk(tool_calls=[piece]))
    given = [{"id": "d", "type": "function", "function": {"name": "g", "arguments": own}}]
    answers = {
        False: reply(completion("", tool_calls=given)),
        True: stream(*written, chunk(finish_reason="tool_calls"), DONE),
    }
    plugin = Redaction(detectors=(*DEFAULT, CallableDetector("NONE", find)))
    talk = Talk(mode, answers[streamed], plugins=[plugin])
    metadata = {"password": "Fake-Pa55word", "passwords": "Fake-Pa55word"}
    answer = talk.one(messages=history, metadata=metadata, stream=streamed)
    body = sent(talk)
    goes = '{"user": "joe", "password": "<SECRET_1>", "n": {"api_key": "<SECRET_2>"}}'
    assert body["messages"][1]["tool_calls"][0]["function"]["arguments"] == goes
    assert body["messages"][2]["content"] == goes
    assert body["metadata"] == {"password": "<SECRET_1>", "passwords": "Fake-Pa55word"}
    call = answer.completion.choices[0].message.tool_calls[0]
    assert call.function.arguments == '{"password": "[SECRET]"}'
    assert not any('": "' in text for text in looked_at)


def test_audio_details_and_annotations(mode: Mode):
    body = completion(
        None,
        audio={"id": "a", "transcript": f"say {MAIL}"},
        reasoning_details=[{"type": "reasoning.text", "text": f"think {MAIL}", "signature": "s"}],
        function_call={"name": "f", "arguments": json.dumps({"to": MAIL})},
    )
    answer = Talk(mode, reply(body), plugins=[redaction()]).one()
    assert MAIL not in json.dumps(to_dict(answer.completion))
    assert answer.completion.choices[0].message.audio.transcript == "say [EMAIL]"


def test_streamed_details_and_audio(mode: Mode):
    parts = []
    for piece in ("think joe.f", "ake@exam", "ple.com so"):
        parts.append(
            chunk(
                reasoning_details=[{"type": "reasoning.text", "index": 0, "text": piece}],
                audio={"id": "a", "transcript": piece},
                function_call={"arguments": piece.replace(" ", "")},
            )
        )
    given = stream(*parts, chunk(finish_reason="stop"), DONE)
    answer = Talk(mode, given, plugins=[redaction()]).one(stream=True)
    deltas = [c.choices[0].delta for c in answer.chunks]
    details = "".join(d["text"] for delta in deltas for d in delta.reasoning_details or [])
    assert details == "think [EMAIL] so"
    assert "".join(delta.audio.transcript or "" for delta in deltas if delta.audio) == details
    assert "joe" not in json.dumps([to_dict(each) for each in answer.chunks])


def test_content_in_parts(mode: Mode):
    pieces = ("ask joe.f", "ake@exam", "ple.com!")
    parts = [chunk() for _ in pieces]
    for part, piece in zip(parts, pieces, strict=True):
        part["choices"][0]["delta"]["content"] = [{"type": "text", "text": piece}]
    given = stream(*parts, chunk(finish_reason="stop"), DONE)
    answer = Talk(mode, given, plugins=[redaction()]).one(stream=True)
    assert answer.completion.text == "ask [EMAIL]!"


def test_the_log_probabilities_of_changed_spans_are_dropped(mode: Mode):
    tokens = ["ask", " joe", ".fake", "@example", ".com", " please", " now"]

    def with_logprobs(token: str) -> dict[str, Any]:
        made = chunk(token)
        made["choices"][0]["logprobs"] = {"content": [{"token": token, "logprob": -0.5}]}
        return made

    given = stream(*map(with_logprobs, tokens), chunk(finish_reason="stop"), DONE)
    answer = Talk(mode, given, plugins=[redaction()]).one(stream=True, logprobs=True)
    assert answer.text == "ask [EMAIL] please now"
    kept = [
        token.token
        for each in answer.chunks
        if each.choices[0].logprobs
        for token in each.choices[0].logprobs.content or []
    ]
    # " joe" spells the blank before the match too.
    assert kept == ["ask", " please", " now"]
    assert "joe" not in json.dumps([to_dict(each) for each in answer.chunks])


@pytest.mark.parametrize(
    ("action", "goes"),
    [("mask", "[EMAIL]"), ("drop", ""), ("placeholder", "<EMAIL_1>")],
)
def test_actions(mode: Mode, action, goes):
    talk = Talk(mode, reply(completion("ok")), plugins=[redaction(actions={"EMAIL": action})])
    answer = talk.one(messages=user(f"({MAIL})"))
    assert sent(talk)["messages"][0]["content"] == f"({goes})"
    assert answer.note("redaction")["request"] == {"EMAIL": {action: 1}}


def test_a_hash_is_keyed_and_the_same_for_the_same_value(mode: Mode):
    bodies = []
    for key in (b"one", b"one", b"two"):
        talk = Talk(mode, reply(completion("ok")), plugins=[redaction(action="hash", hash_key=key)])
        talk.one(messages=user(MAIL))
        bodies.append(sent(talk)["messages"][0]["content"])
    assert bodies[0] == bodies[1] != bodies[2]
    assert bodies[0].startswith("[EMAIL:")


def test_a_blocked_value_stops_the_call_before_anything_is_sent(mode: Mode):
    talk = Talk(mode, reply(completion("ok")), plugins=[redaction(actions={"CARD": "block"})])
    answer = talk.one(messages=user(CARD))
    assert isinstance(answer.error, ContentBlockedError)
    assert answer.error.entity == "CARD"
    assert CARD not in str(answer.error)
    assert talk.sent == 0


def test_a_blocked_answer(mode: Mode):
    given = stream(*split(f"it is {MAIL} ok"), chunk(finish_reason="stop"), DONE)
    plugin = redaction(answer_actions={"EMAIL": "block"})
    answer = Talk(mode, given, plugins=[plugin]).one(stream=True)
    assert isinstance(answer.error, ContentBlockedError)
    assert answer.text == "it is "


@pytest.mark.parametrize("asked", ["hi", f"I am {MAIL}", CARD])
@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
def test_what_a_model_writes_is_put_back_whatever_was_asked(mode: Mode, streamed, asked):
    said = f"mail me@there.example.org or {CARD}"
    given = stream(*split(said), chunk(finish_reason="stop"), DONE)
    watcher = Watcher()
    plugins = [redaction(answer_actions={"EMAIL": "placeholder"}), watcher]
    talk = Talk(mode, given if streamed else reply(completion(said)), plugins=plugins)
    answer = talk.one(messages=user(asked), stream=streamed)
    card = CARD if asked == CARD else "[CARD]"
    assert answer.text == f"mail me@there.example.org or {card}"
    assert answer.note("redaction")["answer"]["EMAIL"] == {"placeholder": 1}
    assert "there.example.org" not in repr(watcher.seen)


def test_nobody_forges_a_placeholder(mode: Mode):
    talk = Talk(mode, echoes, plugins=[redaction()])
    asked = f"I am {MAIL}; print <EMAIL_1> and [email 1] and <EMAIL_7>"
    answer = talk.one(messages=user(asked))
    said = sent(talk)["messages"][0]["content"]
    assert said == "I am <EMAIL_1>; print <LITERAL_1> and <LITERAL_2> and <LITERAL_3>"
    assert answer.text.endswith(asked)


def test_a_vault_keeps_numbers_over_calls(mode: Mode):
    vault = Vault()
    talk = Talk(mode, reply(completion("ok")), plugins=[redaction()])
    with_vault = {"plugin_options": {"redaction": {"vault": vault}}}
    talk.all(
        {"messages": user("a@x.example.org"), **with_vault},
        {"messages": user("b@x.example.org a@x.example.org"), **with_vault},
    )
    assert sent(talk, 1)["messages"][0]["content"] == "<EMAIL_2> <EMAIL_1>"
    assert len(vault) == 2
    assert "example.org" not in repr(vault)
    for leak in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError):
            leak(vault)
    vault.clear()
    assert vault.value("<EMAIL_1>") is None


def test_an_answer_has_placeholders_only_of_what_its_own_request_had(mode: Mode):
    def model(http: Any) -> Any:
        asked = json.loads(http.body)["messages"][-1]["content"]
        return reply(completion(f"write to {MAIL}" if "where" in asked else "ok"))

    def told(vault: Vault, *texts: str) -> dict[str, Any]:
        messages = [each for text in texts for each in user(text)]
        return {"messages": messages, "plugin_options": {"redaction": {"vault": vault}}}

    one, other = Vault(), Vault()
    talk = Talk(mode, model, plugins=[redaction(), Caching(policy="all")])
    _, mine, _, theirs, whole = talk.all(
        told(one, f"I know {MAIL}"),
        told(one, "where to?"),
        told(other, "I am me@here.example.org"),
        told(other, "where to?"),
        told(one, f"I know {MAIL}", "where to?"),
    )
    assert theirs.note("caching")["result"] == "hit"
    assert [each.text for each in (mine, theirs)] == ["write to [EMAIL]"] * 2
    # With its history the request has the placeholder again.
    assert whole.text == f"write to {MAIL}"


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
def test_audit_changes_nothing_and_counts(mode: Mode, streamed):
    given = (
        stream(*split(f"ask {CARD} <EMAIL_1>"), chunk(finish_reason="stop"), DONE)
        if streamed
        else reply(completion(f"ask {CARD} <EMAIL_1>"))
    )
    plugin = redaction(mode="audit", actions={"EMAIL": "block"})
    talk = Talk(mode, given, plugins=[plugin])
    answer = talk.one(messages=user(MAIL), stream=streamed)
    assert sent(talk)["messages"][0]["content"] == MAIL
    assert answer.text == f"ask {CARD} <EMAIL_1>"
    note = answer.note("redaction")
    assert note["request"] == {"EMAIL": {"block": 1}}
    assert note["answer"] == {"CARD": {"mask": 1}}


def test_off(mode: Mode):
    talk = Talk(mode, reply(completion("ok")), plugins=[redaction()])
    answer = talk.one(messages=user(MAIL), plugin_options={"redaction": {"mode": "off"}})
    assert sent(talk)["messages"][0]["content"] == MAIL
    assert answer.note("redaction") is None


IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,QUJD"}}


@pytest.mark.parametrize(
    ("policy", "goes"),
    [
        ("allow", IMAGE),
        ("strip", {"type": "text", "text": "[IMAGE]"}),
        (
            lambda part: {"type": "text", "text": part["type"]},
            {"type": "text", "text": "image_url"},
        ),
        (lambda part: None, {"type": "text", "text": "[IMAGE]"}),
    ],
    ids=["allow", "strip", "function", "function-none"],
)
def test_images(mode: Mode, policy, goes):
    talk = Talk(mode, reply(completion("ok")), plugins=[redaction(images=policy)])
    answer = talk.one(messages=user([IMAGE]))
    assert answer.error is None
    assert sent(talk)["messages"][0]["content"] == [goes]


def test_blocked_media(mode: Mode):
    for part, name in (
        (IMAGE, "images"),
        ({"type": "input_audio", "input_audio": {"data": "QUJD", "format": "wav"}}, "audio"),
        ({"type": "file", "file": {"file_data": "QUJD"}}, "files"),
        ({"type": "image", "source": {"data": "QUJD"}}, "images"),
        ({"type": "document", "source": {"data": "QUJD"}}, "files"),
    ):
        for given in (
            {"messages": user([part])},
            {"extra_body": {"messages": user([part])}},
            {"extra_body": {"messages": user(part)}},
        ):
            talk = Talk(mode, reply(completion("ok")), plugins=[redaction(**{name: "block"})])
            assert isinstance(talk.one(**given).error, ContentBlockedError)
            assert talk.sent == 0


def failing(text: str) -> Any:
    raise RuntimeError(f"I choked on {text}")


@pytest.mark.parametrize(
    "detector",
    [Detector("BAD", r"joe\.fake", failing), CallableDetector("BAD", failing)],
    ids=["validator", "callable"],
)
def test_a_detector_that_fails_stops_the_call(mode: Mode, detector):
    talk = Talk(mode, reply(completion("ok")), plugins=[redaction(detectors=(detector,))])
    answer = talk.one(messages=user(MAIL))
    assert isinstance(answer.error, PluginError)
    assert "BAD" in str(answer.error)
    assert "joe" not in "".join(map(str, [answer.error, answer.error.__cause__]))
    assert talk.sent == 0


def names(text: str) -> list[tuple[int, int, str]]:
    at = text.find("Ann Fake")
    return [] if at < 0 else [(at, at + 8, "NAME")]


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
def test_a_callable_sees_whole_texts(mode: Mode, streamed):
    detectors = (*SMALL, CallableDetector("PEOPLE", names))
    given = stream(*split(f"Ann Fake has {MAIL}"), chunk(finish_reason="stop"), DONE)
    talk = Talk(mode, given, plugins=[redaction(detectors=detectors)])
    answer = talk.one(messages=user("I am Ann Fake"), stream=streamed)
    assert sent(talk)["messages"][0]["content"] == "I am <NAME_1>"
    assert answer.text == "Ann Fake has [EMAIL]"


def test_nobody_forges_a_placeholder_of_what_a_callable_finds(mode: Mode):
    looked_at: list[str] = []

    def find(text: str) -> list[tuple[int, int, str]]:
        looked_at.append(text)
        return names(text)

    talk = Talk(mode, echoes, plugins=[redaction(detectors=(CallableDetector("PEOPLE", find),))])
    asked = "print <NAME_1> and [name 1] and (page 1): I am Ann Fake"
    first, second = talk.all({"messages": user(asked)}, {"messages": user(asked)})
    for at, answer in enumerate((first, second)):
        said = sent(talk, at)["messages"][0]["content"]
        assert said == "print <LITERAL_1> and <LITERAL_2> and (page 1): I am <NAME_1>"
        assert answer.text.endswith(asked)
        counts = {"LITERAL": {"placeholder": 2}, "NAME": {"placeholder": 1}}
        assert answer.note("redaction")["request"] == counts
    # Twice only when an entity is new.
    assert looked_at.count(asked) == 3


LONG = "a" * 30 + "@x"


@pytest.mark.parametrize(
    ("overflow", "said"),
    [
        ("mask_tail", {"word", "[OVERFLOW]"}),
        ("release", {"word", LONG, "more"}),
        ("block", {"word"}),
    ],
)
def test_too_much_held_back(mode: Mode, overflow, said):
    given = stream(*split(f"word {LONG} more"), chunk(finish_reason="stop"), DONE)
    plugin = redaction(max_hold_chars=16, on_overflow=overflow)
    answer = Talk(mode, given, plugins=[plugin]).one(stream=True)
    words = "".join(each.text for each in answer.chunks).replace("][", "] [").split()
    assert set(words) == said
    assert (answer.error is not None) == (overflow == "block")


@pytest.mark.parametrize("size", [1, 3, 7])
def test_one_mask_stands_for_all_that_follows(mode: Mode, size):
    given = stream(*split(f"word {LONG} more", size), chunk(finish_reason="stop"), DONE)
    answer = Talk(mode, given, plugins=[redaction(max_hold_chars=16)]).one(stream=True)
    assert answer.text == "word [OVERFLOW]"
    assert answer.note("redaction")["answer"] == {"OVERFLOW": {"mask": 1}}


@pytest.mark.parametrize("overflow", ["mask_tail", "block"])
def test_a_placeholder_does_not_let_out_what_was_held_too_long(mode: Mode, overflow):
    said = "I asked Ann Fake of <EMAIL_1> about it"
    given = stream(*split(said, 20), chunk(finish_reason="stop"), DONE)
    detectors = (*SMALL, CallableDetector("PEOPLE", names))
    plugin = redaction(detectors=detectors, max_hold_chars=30, on_overflow=overflow)
    answer = Talk(mode, given, plugins=[plugin]).one(messages=user(MAIL), stream=True)
    assert "Ann Fake" not in repr(answer.chunks)
    assert (answer.error is not None) == (overflow == "block")


def test_a_request_is_whole_and_nothing_of_it_is_held_back(mode: Mode):
    plugin = redaction(max_hold_chars=16, on_overflow="block")
    talk = Talk(mode, reply(completion("ok")), plugins=[plugin])
    talk.one(messages=user(f"word {LONG}"))
    assert sent(talk)["messages"][0]["content"] == f"word {LONG}"


@pytest.mark.parametrize(
    "more", [(), (CallableDetector("PEOPLE", names),)], ids=["patterns", "function"]
)
def test_what_is_whole_is_never_too_much(mode: Mode, more: Any):
    arguments = json.dumps({"said": f"word {LONG}", "by": "Ann Fake" if more else MAIL})
    calls = [{"id": "c", "type": "function", "function": {"name": "f", "arguments": arguments}}]
    history = [*user("hi"), {"role": "assistant", "tool_calls": calls}]
    whole = reply(completion(f"word {LONG}", tool_calls=calls))
    refused = reply({"error": {"message": f"word {LONG}"}}, status=400)
    plugin = redaction(detectors=(*SMALL, *more), max_hold_chars=16)
    talk = Talk(mode, whole, refused, plugins=[plugin])
    answer, error = talk.all({"messages": history}, {"messages": history})
    entity = "NAME" if more else "EMAIL"
    function = sent(talk)["messages"][1]["tool_calls"][0]["function"]
    assert json.loads(function["arguments"]) == {"said": f"word {LONG}", "by": f"<{entity}_1>"}
    assert answer.text == f"word {LONG}"
    assert answer.completion.choices[0].message.tool_calls[0].function.arguments == arguments
    assert f"word {LONG}" in str(error.error)


def test_a_broken_stream_gives_what_was_held(mode: Mode):
    given = stream(chunk("I am joe.fake@exam"), Cut())
    answer = Talk(mode, given, plugins=[redaction()]).one(stream=True)
    assert answer.error is not None
    assert answer.text == "I am joe.fake@exam"
    assert answer.error.partial.text == "I am joe.fake@exam"


def test_errors_hold_no_values(mode: Mode):
    body = {"error": {"message": f"bad input: {MAIL}", "param": "x"}}
    answer = Talk(mode, reply(body, status=400), plugins=[redaction()]).one()
    assert MAIL not in str(answer.error)
    assert MAIL not in json.dumps(answer.error.body)
    assert "[EMAIL]" in str(answer.error)


NAMED = {"message": "no", "code": f"bad {MAIL}", "type": f"{MAIL} type", "param": f"to {MAIL}"}


@pytest.mark.parametrize(
    "given",
    [reply({"error": NAMED}, status=400), stream(chunk("a"), event({"error": NAMED}))],
    ids=["status", "event"],
)
def test_what_errors_are_called_holds_no_values(mode: Mode, given):
    error = Talk(mode, given, plugins=[redaction()]).one(stream=True).error
    assert (error.code, error.type, error.param) == ("bad [EMAIL]", "[EMAIL] type", "to [EMAIL]")
    assert "joe" not in repr(vars(error))


@pytest.mark.parametrize(
    "given",
    [reply(f'{{"a": {MAIL}'.encode()), stream(chunk("a"), f"data: {{{MAIL}\n\n".encode())],
    ids=["whole", "event"],
)
def test_what_could_not_be_read_is_not_kept(mode: Mode, given):
    error = Talk(mode, given, plugins=[redaction()]).one(stream=True).error
    assert isinstance(error, ResponseDecodeError)
    assert "joe" not in repr([vars(error), vars(error.__cause__ or error)])


def test_a_partial_answer_holds_no_values(mode: Mode):
    answer = Talk(mode, stream(chunk(f"it is {MAIL} and")), plugins=[redaction()]).one()
    assert answer.error.partial.text == "it is [EMAIL] and"


class Watcher:
    """Sees what every plugin between the two ends sees."""

    def __init__(self) -> None:
        self.seen: list[Any] = []
        self.requests: list[Any] = []

    def start(self, request: Any) -> None:
        self.requests.append(request)
        self.seen.append(to_dict(request))

    @hookimpl
    def orq_wrap_create(self, call: Any) -> Any:
        return observe(
            start=self.start,
            item=lambda item: self.seen.append(to_dict(item)),
        )


def test_no_plugin_sees_a_value(mode: Mode):
    for order in (0, 1):
        watcher = Watcher()
        plugins: list[Any] = [watcher]
        plugins.insert(order, redaction())
        given = stream(*split(f"<EMAIL_1> has {CARD}."), chunk(finish_reason="stop"), DONE)
        answer = Talk(mode, given, plugins=plugins).one(messages=user(MAIL), stream=True)
        assert answer.text == f"{MAIL} has [CARD]."
        said = "".join(
            item["choices"][0]["delta"].get("content") or "" for item in watcher.seen[1:]
        )
        assert said == "<EMAIL_1> has [CARD]."
        assert MAIL not in json.dumps(watcher.seen)


@pytest.mark.parametrize(
    "given",
    [
        {"action": "hide"},
        {"actions": {"EMAIL": "hide"}},
        {"mode": "on"},
        {"images": "maybe"},
        {"max_hold_chars": 0},
        {"on_overflow": "leak"},
        {"no_such": 1},
        {"detectors": [Detector("X", r"a*")]},
        {"detectors": [Detector("X", r"(a)\1")]},
        {"detectors": [Detector("X", r"(")]},
    ],
    ids=str,
)
def test_arguments_are_checked(given):
    with pytest.raises(ConfigurationError):
        Redaction(**given)


@pytest.mark.parametrize("given", [{"vault": {}}, {"mode": "on"}, {"valt": 1}], ids=str)
def test_per_call_options_are_checked(mode: Mode, given):
    talk = Talk(mode, reply(completion("ok")), plugins=[redaction()])
    assert isinstance(talk.one(plugin_options={"redaction": given}).error, ConfigurationError)
    assert talk.sent == 0


def test_indexes_of_any_kind(mode: Mode):
    call = {"index": {"a": 1}, "id": "c", "function": {"name": "f", "arguments": "{}"}}
    part = {"type": {"b": 2}, "index": [0], "text": "odd"}
    parts = [
        chunk("joe.fake@exam", index=[1]),
        chunk("a", index="0", tool_calls=[call], reasoning_details=[part]),
        chunk("b", index=0),
    ]
    answer = Talk(mode, stream(*parts), plugins=[redaction()], on_truncation="accept").one(
        stream=True
    )
    assert answer.error is None
    assert "joe.fake@exam" in "".join(each.text for each in answer.chunks)


def test_settings_have_one_digest_in_all_processes():
    code = (
        "from orq_plugins.redaction import *; from orq_plugins.redaction.settings import *;"
        "print(digest_of(Settings(answer_actions={'A': 'drop'}), DEFAULT))"
    )
    run = [sys.executable, "-c", code]
    told = {subprocess.check_output(run, text=True).strip() for _ in range(2)}
    assert told == {digest_of(Settings(answer_actions={"A": "drop"}), DEFAULT)}


def test_settings_are_told_apart_by_what_functions_are_called():
    one = CallableDetector("PEOPLE", names)
    assert digest_of(Settings(), [one]) == digest_of(
        Settings(), [CallableDetector("PEOPLE", names)]
    )
    assert digest_of(Settings(), [one]) != digest_of(
        Settings(), [CallableDetector("PEOPLE", split)]
    )
