"""What was said: nowhere by default, and then only as `Redaction` lets it out."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest

from orq_core.testing import DONE, LocalRouter, Mode, chunk, completion, reply, stream
from orq_core.testing.received import Received
from orq_core.testing.replies import Reply
from orq_plugins import Caching, Redaction, Retries
from orq_plugins.tracing.messages import KEPT
from tests.plugins.talk import OK, Talk, ask
from tests.plugins.tracing.conftest import Backend

MAIL = "canary.fake@example.com"
ASK = {"messages": [{"role": "user", "content": f"I am {MAIL}"}]}
ANSWER = "Dear <EMAIL_1>, write to canary.other@example.com."
WHOLE = reply(completion(ANSWER))
STREAMED = stream(
    chunk("", role="assistant"),
    *[chunk(ANSWER[at : at + 5]) for at in range(0, len(ANSWER), 5)],
    chunk(finish_reason="stop"),
    DONE,
)


def messages(backend: Backend) -> tuple[Any, Any]:
    attributes = backend.one.attributes
    return tuple(json.loads(attributes[f"gen_ai.{side}.messages"]) for side in ("input", "output"))


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("first", [False, True], ids=["last", "first"])
def test_the_redacted_view_of_both_directions(
    mode: Mode, backend: Backend, streamed: bool, first: bool
):
    tracing = backend.tracing(content="redacted")
    plugins = [tracing, Redaction()] if first else [Redaction(), tracing]
    answer = Talk(mode, STREAMED if streamed else WHOLE, plugins=plugins).one(
        **ASK, stream=streamed
    )
    assert answer.text == f"Dear {MAIL}, write to [EMAIL]."
    asked, said = messages(backend)
    assert asked == [{"role": "user", "parts": [{"type": "text", "content": "I am <EMAIL_1>"}]}]
    assert said == [
        {
            "role": "assistant",
            "parts": [{"type": "text", "content": "Dear <EMAIL_1>, write to [EMAIL]."}],
            "finish_reason": "stop",
        }
    ]
    assert "canary" not in backend.everything()


@pytest.mark.parametrize(
    ("content", "plugins"),
    [
        ("off", [Redaction()]),
        ("off", []),
        ("redacted", []),
        ("redacted", [Redaction(mode="audit")]),
        ("redacted", [Redaction(mode="off")]),
    ],
    ids=["off", "off, no redaction", "no redaction", "audit", "redaction off"],
)
@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
def test_otherwise_nothing(
    mode: Mode, backend: Backend, streamed: bool, content: Any, plugins: Any
):
    tracing = backend.tracing(content=content)
    Talk(mode, STREAMED if streamed else WHOLE, plugins=[tracing, *plugins]).one(
        **ASK, stream=streamed
    )
    assert "gen_ai.input.messages" not in backend.one.attributes
    assert "gen_ai.output.messages" not in backend.one.attributes
    assert "canary" not in backend.everything()


def test_redaction_may_be_off_for_one_call(mode: Mode, backend: Backend):
    talk = Talk(mode, WHOLE, plugins=[Redaction(), backend.tracing(content="redacted")])
    talk.one(**ASK, plugin_options={"redaction": {"mode": "off"}})
    assert "canary" not in backend.everything()


def test_what_had_arrived_of_an_answer_that_broke_off(mode: Mode, backend: Backend):
    given = stream(chunk("Dear <EMA"), chunk("IL_1>, wri"))
    Talk(mode, given, plugins=[Redaction(), backend.tracing(content="redacted")]).one(
        **ASK, stream=True
    )
    _, (said,) = messages(backend)
    assert said["parts"] == [{"type": "text", "content": "Dear <EMAIL_1>, wri"}]
    assert said["finish_reason"] == "error"


def test_every_kind_of_part(mode: Mode, backend: Backend):
    png = "data:image/png;base64," + "QUJD" * 50
    call = {"id": "call-fake", "type": "function", "function": {"name": "look"}}
    given = [
        {"role": "system", "content": "be brief"},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "what is this?"},
                {"type": "image_url", "image_url": {"url": png}},
                {"type": "input_audio", "input_audio": {"data": "QUJD", "format": "mp3"}},
                {"type": "file", "file": {"file_id": "file-fake"}},
            ],
        },
        {
            "role": "assistant",
            "content": None,
            "reasoning_content": "let me look",
            "tool_calls": [
                {**call, "function": {"name": "look", "arguments": '{"at": ["it", 1]}'}},
                {**call, "function": {"name": "look", "arguments": "no {json"}},
            ],
        },
        {"role": "tool", "tool_call_id": "call-fake", "content": "a cat"},
        {"role": "tool", "tool_call_id": "call-fake", "content": [{"type": "text", "text": "b"}]},
        {"role": "assistant", "content": [{"type": "refusal", "refusal": "no"}]},
        {
            "role": "assistant",
            "refusal": "never",
            "content": [{"type": "reasoning", "reasoning": "hm", "signature": "fake"}],
        },
        {"role": "user", "content": png},
    ]
    tracing = backend.tracing(content="redacted")
    Talk(mode, OK, plugins=[Redaction(), tracing]).one(messages=given)
    asked, _ = messages(backend)
    tool = {"type": "tool_call", "id": "call-fake", "name": "look"}
    gave = {"type": "tool_call_response", "id": "call-fake"}
    assert [message["role"] for message in asked] == [message["role"] for message in given]
    digest = asked.pop()["parts"][0]["content"]
    assert digest.startswith("<image/png, 200 characters, sha256 ")
    assert [message["parts"] for message in asked] == [
        [{"type": "text", "content": "be brief"}],
        [
            {"type": "text", "content": "what is this?"},
            {"type": "image_url"},
            {"type": "input_audio"},
            {"type": "file"},
        ],
        [
            {"type": "reasoning", "content": "let me look"},
            {**tool, "arguments": {"at": ["it", 1]}},
            {**tool, "arguments": "no {json"},
        ],
        [{**gave, "response": "a cat"}],
        [{**gave, "response": [{"type": "text", "text": "b"}]}],
        [{"type": "text", "content": "no"}],
        [{"type": "reasoning", "content": "hm"}, {"type": "text", "content": "never"}],
    ]
    assert "QUJD" not in backend.everything()


def test_tool_calls_of_an_answer(mode: Mode, backend: Backend):
    call = {"id": "call-fake", "type": "function", "index": 0}
    given = stream(
        chunk(tool_calls=[{**call, "function": {"name": "look", "arguments": '{"at":'}}]),
        chunk(tool_calls=[{"index": 0, "function": {"arguments": '"it"}'}}]),
        chunk(finish_reason="tool_calls"),
        DONE,
    )
    Talk(mode, given, plugins=[Redaction(), backend.tracing(content="redacted")]).one(stream=True)
    _, (said,) = messages(backend)
    assert said["parts"] == [
        {"type": "tool_call", "id": "call-fake", "name": "look", "arguments": {"at": "it"}}
    ]
    assert said["finish_reason"] == "tool_call"


def test_shapes_that_no_contract_knows(mode: Mode, backend: Backend):
    call = {"id": "call-fake", "type": "function", "function": {"name": "look"}}
    content = ["bare", {"type": 5}, {"type": "text", "text": "plain"}]
    given = reply(completion(content, tool_calls=[call]))  # type: ignore[arg-type]
    Talk(mode, given, plugins=[Redaction(), backend.tracing(content="redacted")]).one()
    _, (said,) = messages(backend)
    assert said["parts"] == [
        {"type": "text", "content": "bare"},
        {"type": "unknown"},
        {"type": "text", "content": "plain"},
        {"type": "tool_call", "id": "call-fake", "name": "look", "arguments": None},
    ]


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
def test_long_texts_are_cut(mode: Mode, backend: Backend, streamed: bool):
    long = "word " * KEPT
    parts = [chunk(long[:KEPT]), chunk(long[:KEPT]), chunk("x"), chunk(finish_reason="stop"), DONE]
    given = stream(*parts) if streamed else reply(completion(long))
    plugins = [Redaction(detectors=[]), backend.tracing(content="redacted")]
    ask = [{"role": "user", "content": long}, {"role": "user", "content": "more"}]
    Talk(mode, given, plugins=plugins).one(messages=ask, stream=streamed)
    asked, (said,) = messages(backend)
    assert [len(message["parts"][0]["content"]) for message in asked] == [KEPT + 1, 1]
    assert len(said["parts"][0]["content"]) == KEPT + 1


def test_a_cached_answer_shows_what_the_cache_holds(mode: Mode, backend: Backend):
    plugins = [Caching(), Redaction(), backend.tracing(content="redacted")]
    Talk(mode, WHOLE, plugins=plugins).all(*[{**ASK, "temperature": 0}] * 2)
    one, two = [span.attributes["gen_ai.output.messages"] for span in backend.calls]
    assert one == two
    assert "canary" not in backend.everything()


@pytest.mark.parametrize("content", ["off", "redacted"])
@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("fails", [False, True], ids=["ok", "fails"])
def test_a_private_value_is_nowhere(
    mode: Mode,
    backend: Backend,
    orq_router: LocalRouter,
    content: Any,
    streamed: bool,
    fails: bool,
    caplog: Any,
):
    key = "fake-canary-of-a-key-123456"

    def quoting(received: Received) -> Reply:
        if fails:
            said = received.body.decode() + received.headers["authorization"]
            return reply({"error": {"message": said, "code": "bad"}}, status=500)
        return STREAMED if streamed else WHOLE

    orq_router.always(quoting)
    for name in ("orq", "opentelemetry"):
        caplog.set_level(logging.DEBUG, name)

    async def body() -> None:
        plugins = [backend.tracing(content=content), Redaction(), Retries(random=lambda: 0.0)]
        given = {"api_key": key, "server_url": orq_router.url, "plugins": plugins}
        async with mode.client(**given, discover=False) as client:
            more = {"http_headers": {"x-own": "fake-canary-of-a-header"}, "retries": 1}
            answer = await ask(
                mode, client, **ASK, **more, stream=streamed, extra_body={"user": "canary"}
            )
            assert (answer.error is not None) == fails

    mode.run(body)
    assert len(backend.attempts) == 1 + fails
    said = "".join(record.getMessage() + repr(vars(record)) for record in caplog.records)
    assert "canary" not in backend.everything() + said
