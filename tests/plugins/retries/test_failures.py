"""Which failures are followed by a repeat, in both modes."""

from __future__ import annotations

from typing import Any

import pytest

from orq_core import (
    APIConnectionError,
    APIStatusError,
    APIStreamError,
    APITimeoutError,
    ConnectError,
    PluginError,
    ResponseDecodeError,
    StreamError,
    StreamTruncatedError,
    Timeout,
    hookimpl,
)
from orq_core.testing import (
    DONE,
    Cut,
    Mode,
    Raise,
    Reset,
    Send,
    Stall,
    chunk,
    error_event,
    event,
    reply,
    stream,
)
from tests.plugins.retries.scene import OK, OK_STREAM, ROLE, Scene

REPEATED = (408, 409, 425, 429, 500, 502, 503, 504, 529)
FINAL = (300, 304, 400, 401, 402, 403, 404, 405, 406, 410, 413, 415, 418, 422, 431, 451, 501, 505)
SPENT = ("insufficient_quota", "quota_exceeded", "cost_budget_exceeded", "token_budget_exceeded")


def refusal(status: int, headers: Any = None, **error: Any) -> Any:
    return reply({"error": {"message": "made up", **error}}, status=status, headers=headers)


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("status", REPEATED)
def test_statuses_that_pass(mode: Mode, status: int, streamed: bool) -> None:
    scene = Scene(mode, refusal(status), OK_STREAM if streamed else OK)
    assert scene.create(stream=streamed).text == "hi"
    assert [attempt.status for attempt in scene.info.attempts] == [status, 200]
    assert scene.note == {"repeats": 1, "waited": 0.5, "pauses": (0.5,), "gave_up": None}


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("status", FINAL)
def test_statuses_that_do_not(mode: Mode, status: int, streamed: bool) -> None:
    scene = Scene(mode, refusal(status), OK)
    assert scene.fails(APIStatusError, stream=streamed).status_code == status
    assert scene.sent == 1
    assert scene.runtime.pauses == []


@pytest.mark.parametrize("where", ["code", "type"])
@pytest.mark.parametrize("word", SPENT)
@pytest.mark.parametrize("status", [402, 429])
def test_a_spent_quota_is_final(mode: Mode, status: int, word: str, where: str) -> None:
    for headers in (None, {"x-should-retry": "true", "retry-after": "1"}):
        scene = Scene(mode, refusal(status, headers, **{where: word}), OK)
        scene.fails(APIStatusError)
        assert scene.sent == 1


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize(
    "error",
    [
        ConnectError("no such host"),
        APIConnectionError("reset before the first byte"),
        APITimeoutError("too slow to connect", kind="connect"),
        APITimeoutError("no first byte", kind="first_event"),
    ],
    ids=["connect", "reset", "connect time-out", "first byte"],
)
def test_connections_that_fail(mode: Mode, error: Exception, streamed: bool) -> None:
    scene = Scene(mode, error, error, OK_STREAM if streamed else OK)
    assert scene.create(stream=streamed).text == "hi"
    assert scene.sent == 3


@pytest.mark.parametrize("kind", ["total", "idle"])
def test_other_limits_of_a_call(mode: Mode, kind: Any) -> None:
    def answered(http: Any) -> Any:
        return stream(Send(b""), Raise(APITimeoutError("made up", kind=kind)))

    scene = Scene(mode, answered, OK_STREAM)
    if kind == "idle":
        assert scene.create(stream=True).text == "hi"
    else:
        assert scene.fails(APITimeoutError, stream=True).kind == kind
        assert scene.sent == 1


@pytest.mark.parametrize("streamed", [False, True])
def test_an_answer_that_had_begun_binds_unless_it_is_a_stream(mode: Mode, streamed: bool) -> None:
    for broken in (Cut(), Stall()):
        scene = Scene(mode, stream(Send(b""), broken), OK_STREAM if streamed else OK)
        if streamed:
            assert scene.create(stream=True).text == "hi"
            assert scene.sent == 2
        else:
            scene.fails((APIConnectionError, APITimeoutError))
            assert scene.sent == 1


EMPTY = {
    "nothing": (),
    "comments": (b": waiting\n\n",),
    "role": (ROLE,),
    "role and usage": (ROLE, {"object": "chat.completion.chunk", "choices": [], "usage": {}}),
    "nulls": (
        chunk(None, role="assistant", tool_calls=None, refusal=None, audio=None, other=None),
        chunk("", tool_calls=[], reasoning_content=""),
    ),
}
BROKEN = {
    "cut": (Cut(),),
    "reset": (Reset(),),
    "stalled": (Stall(),),
    "truncated": (),
    "rate limit": (error_event(code="rate_limit_exceeded"),),
    "overloaded": (error_event(type="overloaded_error"),),
    "engine": (error_event(code="engine_overloaded"),),
    "server error": (error_event(type="server_error"),),
    "numeric": (error_event(code=503),),
    "status": (error_event(status=529), DONE),
    "named": (error_event(name="error", type="api_error"),),
}


@pytest.mark.parametrize("before", EMPTY)
@pytest.mark.parametrize("end", BROKEN)
def test_a_stream_that_fails_before_its_content(mode: Mode, before: str, end: str) -> None:
    scene = Scene(mode, stream(Send(b""), *EMPTY[before], *BROKEN[end]), OK_STREAM)
    assert scene.create(stream=True).text == "hi"
    assert scene.sent == 2
    assert [each.text for each in scene.seen] == ["", "h", "i", ""]
    assert scene.seen[0].choices[0].delta.role == "assistant"


CONTENT: dict[str, dict[str, Any]] = {
    "text": chunk("a"),
    "refusal": chunk(refusal="no"),
    "tool call": chunk(tool_calls=[{"index": 0, "id": "call-1", "function": {"name": "f"}}]),
    "function call": chunk(function_call={"name": "f"}),
    "reasoning": chunk(reasoning="hm"),
    "reasoning content": chunk(reasoning_content="hm"),
    "reasoning details": chunk(reasoning_details=[{"type": "reasoning.text", "text": "hm"}]),
    "audio": chunk(audio={"data": "AAAA"}),
    "unknown": chunk(images=[{"type": "image_url"}]),
    "finish reason": chunk(finish_reason="stop"),
    "second choice": {
        **chunk(),
        "choices": [
            {"index": 0, "delta": {}},
            {"index": 1, "delta": {"content": "b"}},
        ],
    },
}


@pytest.mark.parametrize("content", CONTENT)
@pytest.mark.parametrize("end", ["cut", "stalled", "truncated", "rate limit"])
def test_nothing_is_repeated_after_content(mode: Mode, content: str, end: str) -> None:
    broken = stream(ROLE, CONTENT[content], *BROKEN[end])
    scene = Scene(mode, broken, OK_STREAM)
    if content == "finish reason" and end in {"cut", "truncated"}:
        scene.create(stream=True)  # complete all the same
    else:
        scene.fails((StreamError, APITimeoutError), stream=True)
    assert scene.sent == 1
    assert len(scene.seen) == 2
    assert scene.runtime.pauses == []


@pytest.mark.parametrize(
    "details",
    [
        {},
        {"code": "content_filter"},
        {"code": 400},
        {"code": "insufficient_quota"},
        {"code": "quota_exceeded", "status": 429},
        {"type": "invalid_request_error"},
        {"status": 501, "code": "server_error"},
    ],
    ids=str,
)
def test_error_events_that_are_final(mode: Mode, details: Any) -> None:
    scene = Scene(mode, stream(ROLE, error_event(**details)), OK_STREAM)
    error = scene.fails(APIStreamError, stream=True)
    assert scene.sent == 1
    assert len(scene.seen) == 1  # what was held back is not lost
    assert error.delivered == 1


def test_an_error_in_a_json_answer_of_status_200(mode: Mode) -> None:
    scene = Scene(mode, reply({"error": {"message": "busy", "code": 529}}), OK)
    assert scene.create().text == "hi"
    scene = Scene(mode, reply({"error": {"message": "no", "code": "bad_prompt"}}), OK)
    scene.fails(APIStreamError)
    assert scene.sent == 1


def test_a_whole_answer_that_came_in_events(mode: Mode) -> None:
    for begun in ((ROLE,), ()):
        scene = Scene(mode, stream(Send(b": begun\n\n"), *begun, Cut()), OK)
        assert scene.create().text == "hi"
    scene = Scene(mode, stream(ROLE, chunk("half"), Cut()), OK)
    assert scene.fails(StreamError).partial.text == "half"
    assert scene.sent == 1


@pytest.mark.parametrize("streamed", [False, True])
def test_what_cannot_be_read_is_final(mode: Mode, streamed: bool) -> None:
    broken = stream(ROLE, b"data: {\n\n") if streamed else reply(b'{"choices": [')
    scene = Scene(mode, broken, OK)
    scene.fails(ResponseDecodeError, stream=streamed)
    assert scene.sent == 1


@pytest.mark.parametrize("policy", ["warn", "accept"])
@pytest.mark.filterwarnings("ignore:the stream ended")
def test_a_truncated_answer_that_is_accepted(mode: Mode, policy: Any) -> None:
    scene = Scene(mode, stream(ROLE), OK_STREAM, on_truncation=policy)
    scene.create(stream=True)
    assert (scene.sent, len(scene.seen), scene.note) == (1, 1, None)


def test_the_last_failure_is_raised_with_what_was_held_back(mode: Mode) -> None:
    scene = Scene(mode, stream(Cut()), stream(ROLE, error_event(code=500)), stream(ROLE))
    error = scene.fails(StreamTruncatedError, stream=True)
    assert [attempt.error for attempt in error.attempts] == [
        "APIConnectionError",
        "APIStreamError",
        "StreamTruncatedError",
    ]
    assert len(scene.seen) == 1
    assert scene.note["gave_up"] == "attempts"


def test_empty_chunks_without_end_are_not_held_back_for_ever(mode: Mode) -> None:
    scene = Scene(mode, stream(event(ROLE) * 300, Cut()), OK_STREAM)
    scene.fails(StreamError, stream=True)
    assert scene.sent == 1
    assert len(scene.seen) == 300


def test_a_plugins_block_is_final(mode: Mode) -> None:
    class Guard:
        name = "guard"

        @hookimpl(trylast=True)
        def orq_wrap_create(self, call: Any) -> Any:
            async def layer(call: Any, request: Any, proceed: Any) -> Any:
                raise PluginError("blocked", plugin="guard")
                yield

            return layer

    scene = Scene(mode, OK)
    scene.arguments["plugins"] = [scene.plugin, Guard()]
    scene.fails(PluginError)
    assert (scene.sent, scene.runtime.pauses) == (0, [])


def test_an_answer_without_content_is_no_failure(mode: Mode) -> None:
    scene = Scene(mode, stream(ROLE, DONE))
    scene.create(stream=True)
    assert (scene.sent, len(scene.seen)) == (1, 1)


def test_a_read_that_times_out_is_repeated_while_time_is_left(mode: Mode) -> None:
    scene = Scene(mode, OK, timeout=Timeout(first_event=8, total=20))

    def stall(http: Any) -> Any:
        scene.runtime.time = http.limits.next_at
        raise http.limits.error()

    scene.transport._replies.clear()
    scene.transport._replies.extend([stall, stall, stall])
    error = scene.fails(APITimeoutError)
    assert error.kind == "total"
    assert scene.runtime.pauses == [0.5, 1.0]
    assert scene.runtime.time == 1020
