"""``create`` from end to end, without sockets: what is sent, what comes back, what is released."""

from __future__ import annotations

import pickle
import warnings
from pathlib import Path
from typing import Any

import pytest

from orq_core import (
    APIStreamError,
    BadRequestError,
    CallOptions,
    ChatCompletionChunk,
    ConfigurationError,
    InternalServerError,
    OrqError,
    RateLimitError,
    RequestError,
    ResponseDecodeError,
    StreamInterruptedError,
    StreamTruncatedError,
    Timeout,
    hookimpl,
)
from orq_core.testing import (
    DONE,
    Cut,
    Mode,
    Reply,
    ScriptedTransport,
    Send,
    chunk,
    completion,
    reply,
    stream,
)

KEY = "fake-key-1234567890"
SERVER = "https://router.example.test"
HELLO: list[dict[str, Any]] = [{"role": "user", "content": "hello"}]
STREAM = stream(chunk("a"), chunk("b"), chunk(finish_reason="stop"), DONE)
UNFINISHED = stream(chunk("a"), chunk("b"))
FAILED = stream(chunk("a"), {"error": {"message": "overloaded", "code": "provider_error"}})


class Scripted:
    """A client of either kind on a scripted transport."""

    def __init__(self, mode: Mode, *replies: Any, **client: Any) -> None:
        self.mode = mode
        self.transport = ScriptedTransport(*replies, is_async=mode.is_async)
        self.arguments = {
            "api_key": KEY,
            "server_url": SERVER,
            "transport": self.transport,
            "discover": False,
            **client,
        }

    def create(self, **arguments: Any) -> Any:
        """Return the completion, or what a stream adds up to."""

        async def body() -> Any:
            async with self.mode.client(**self.arguments) as client:
                given = {"messages": HELLO, "model": "fake/model", **arguments}
                if "request" in arguments:
                    given = arguments
                answer = await self.mode.create(client, **given)
                if hasattr(answer, "completion"):
                    answer = await self.mode.completion(answer)
                return answer

        try:
            return self.mode.run(body)
        finally:
            assert self.transport.open_responses == 0
            assert self.transport.closed

    def fails(self, kind: type[OrqError], **arguments: Any) -> Any:
        with pytest.raises(kind) as caught:
            self.create(**arguments)
        return caught.value


def test_what_is_sent(mode: Mode) -> None:
    scripted = Scripted(mode, reply(completion("hi")), headers={"X-Team": "a"})
    answer = scripted.create(
        temperature=None,
        max_tokens=5,
        extra_body={"new_field": [1]},
        http_headers={"x-team": "b"},
        accept_header_override="text/plain",
    )
    (http,) = scripted.transport.requests
    assert http.method == "POST"
    assert http.url == f"{SERVER}/v2/router/chat/completions"
    assert http.headers["Authorization"] == f"Bearer {KEY}"
    assert http.headers["x-team"] == "b"
    assert "X-Team" not in http.headers
    assert http.headers["Accept"] == "text/plain"
    assert b'"temperature":null' in http.body
    assert b'"max_tokens":5,' in http.body
    assert b'"new_field":[1]' in http.body
    assert b"stream" not in http.body
    assert answer.text == "hi"


def test_the_seed_form_and_todays_form_send_the_same(mode: Mode) -> None:
    one = Scripted(mode, reply(completion("hi")))
    one.create(request={"model": "fake/model", "messages": HELLO, "odd": 1})
    two = Scripted(mode, reply(completion("hi")))
    two.create(extra_body={"odd": 1})
    assert sorted(one.transport.requests[0].body) == sorted(two.transport.requests[0].body)


def test_a_field_given_twice_is_refused(mode: Mode) -> None:
    scripted = Scripted(mode, reply(completion("hi")))
    error = scripted.fails(
        ConfigurationError,
        request={"model": "a", "messages": []},
        model="b",
    )
    assert "model" in str(error)
    assert not scripted.transport.requests


def test_an_unknown_keyword_is_refused_with_its_remedy(mode: Mode) -> None:
    error = Scripted(mode, reply()).fails(ConfigurationError, temprature=1)
    assert "temperature" in str(error)


def test_a_request_that_cannot_be_built_is_never_sent(mode: Mode) -> None:
    scripted = Scripted(mode, reply(completion("hi")))
    error = scripted.fails(RequestError, messages=[{"role": "user", "content": [{"type": 5}]}])
    assert error.path == "messages[0].content[0].type"
    assert not scripted.transport.requests


def test_what_is_known_beside_the_answer(mode: Mode) -> None:
    headers = {"X-Request-Id": "req-1", "X-Orq-Trace-Id": "trace-1", "Set-Cookie": "a=fake"}
    answer = Scripted(mode, reply(completion("hi"), headers=headers)).create()
    info = answer.info
    assert (info.status, info.request_id, info.trace_id) == (200, "req-1", "trace-1")
    assert "set-cookie" not in info.headers
    assert [attempt.number for attempt in info.attempts] == [1]
    assert info.elapsed >= 0
    assert info.time_to_first_event >= 0


@pytest.mark.parametrize("streamed", [False, True])
def test_a_status_error_tells_all(mode: Mode, streamed: bool) -> None:
    body = {"error": {"message": f"slow down, {KEY}", "code": "rate_limit_exceeded"}}
    headers = {"Retry-After": "7", "X-Request-Id": "req-2"}
    scripted = Scripted(mode, reply(body, status=429, headers=headers))
    error = scripted.fails(RateLimitError, stream=streamed)
    assert (error.status_code, error.code, error.retry_after) == (429, "rate_limit_exceeded", 7)
    assert error.request_id == "req-2"
    assert [attempt.error for attempt in error.attempts] == ["RateLimitError"]
    assert KEY not in f"{error}{error!r}{error.body}"
    assert KEY.encode() not in pickle.dumps(error)


def test_a_body_that_cannot_be_read_leaves_the_status(mode: Mode) -> None:
    broken = Reply(500, {}, (Send(b""), Cut()))
    error = Scripted(mode, broken).fails(InternalServerError)
    assert error.status_code == 500
    assert isinstance(error.__cause__, OrqError)


@pytest.mark.parametrize("streamed", [False, True])
def test_an_answer_without_an_end(mode: Mode, streamed: bool) -> None:
    error = Scripted(mode, UNFINISHED).fails(StreamTruncatedError, stream=streamed)
    assert error.partial.text == "ab"
    accepted = Scripted(mode, UNFINISHED, on_truncation="accept")
    assert accepted.create(stream=streamed).text == "ab"
    warned = Scripted(mode, UNFINISHED)
    with pytest.warns(RuntimeWarning, match="without finish_reason"):
        answer = warned.create(stream=streamed, options=CallOptions(on_truncation="warn"))
    assert answer.text == "ab"


@pytest.mark.parametrize("streamed", [False, True])
def test_each_answer_without_an_end_is_warned_of_where_it_was_asked_for(
    mode: Mode, streamed: bool
) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        for _ in range(2):
            Scripted(mode, UNFINISHED, on_truncation="warn", discover=True).create(stream=streamed)
    assert [each.category for each in caught] == [RuntimeWarning] * 2
    assert all(not _is_ours(each.filename) for each in caught)


def _is_ours(filename: str) -> bool:
    return not {"orq_plugins", "orq_core"}.isdisjoint(Path(filename).parent.parts[-2:])


@pytest.mark.parametrize("streamed", [False, True])
def test_an_error_inside_a_stream(mode: Mode, streamed: bool) -> None:
    error = Scripted(mode, FAILED).fails(APIStreamError, stream=streamed)
    assert error.code == "provider_error"
    assert "overloaded" in str(error)
    assert error.partial.text == "a"


@pytest.mark.parametrize("streamed", [False, True])
def test_a_broken_connection_keeps_what_came(mode: Mode, streamed: bool) -> None:
    error = Scripted(mode, UNFINISHED.then(Cut())).fails(StreamInterruptedError, stream=streamed)
    assert error.partial.text == "ab"
    assert error.attempts[0].error == "StreamInterruptedError"


@pytest.mark.parametrize("streamed", [False, True])
def test_an_event_that_is_no_object(mode: Mode, streamed: bool) -> None:
    for data in (b"data: {broken\n\n", b"data: [1]\n\n"):
        error = Scripted(mode, stream(chunk("a"), data)).fails(ResponseDecodeError, stream=streamed)
        assert error.partial.text == "a"
        assert "event 2" in str(error)


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("body", [b"", b"null", b"[1]", b"7", b"<html>", b"\xff\xfe", b"{"])
def test_an_answer_that_is_none(mode: Mode, streamed: bool, body: bytes) -> None:
    error = Scripted(mode, reply(body)).fails(OrqError, stream=streamed)
    assert isinstance(error, (ResponseDecodeError, StreamTruncatedError))


def test_an_error_object_in_a_200(mode: Mode) -> None:
    body = {"error": {"message": "filtered", "code": "content_filter", "status": 400}}
    error = Scripted(mode, reply(body)).fails(APIStreamError)
    assert (error.code, error.status_code, error.body) == ("content_filter", 400, body)


def test_events_that_mean_nothing_are_passed_over(mode: Mode) -> None:
    noise = stream(b": hi\n\n", b"event: ping\ndata: {}\n\n", b"data:\n\n", chunk("a"), DONE)
    assert Scripted(mode, noise).create(stream=True).text == "a"


def test_a_stream_and_a_plain_call_agree(mode: Mode) -> None:
    streamed = Scripted(mode, STREAM).create(stream=True)
    plain = Scripted(mode, STREAM).create()
    assert streamed == plain
    assert streamed.text == "ab"
    whole = Scripted(mode, reply(completion("hi"))).create(stream=True)
    assert whole.text == "hi"
    assert whole.usage.total_tokens == 2


@pytest.mark.parametrize("asked", [{"n": 2}, {"extra_body": {"n": 2}}], ids=["field", "extra"])
def test_text_deltas_are_those_of_the_first_choice(mode: Mode, asked: dict[str, Any]) -> None:
    ends = [chunk(finish_reason="stop", index=index) for index in (1, 0)]
    together = chunk("Y", index=1)
    together["choices"] += chunk("b")["choices"]
    mixed = stream(chunk("X", index=1), chunk("a"), together, *ends, DONE)

    async def body() -> None:
        scripted = Scripted(mode, mixed)
        async with mode.client(**scripted.arguments) as client:
            given: dict[str, Any] = {"model": "fake/model", "messages": HELLO, **asked}
            answer = await mode.create(client, stream=True, **given)
            texts = [text async for text in mode.iterate(answer.text_deltas())]
            assert texts == ["a", "b"]
            assert answer.partial.text == "ab"

    mode.run(body)


def test_a_key_function_is_asked_once_a_call(mode: Mode) -> None:
    asked: list[int] = []

    def key() -> str:
        asked.append(1)
        return KEY

    scripted = Scripted(mode, reply(completion("hi")), api_key=key)
    scripted.create()
    assert scripted.transport.requests[0].headers["Authorization"] == f"Bearer {KEY}"
    assert len(asked) == 1


def test_retries_need_their_plugin(mode: Mode) -> None:
    scripted = Scripted(mode, reply(completion("hi")))
    error = scripted.fails(ConfigurationError, retries=2)
    assert "orq_plugins.Retries" in str(error)
    assert Scripted(mode, reply(completion("hi"))).create(retries=None).text == "hi"
    assert Scripted(mode, reply(completion("hi"))).create(retries=0).text == "hi"


def test_a_transport_of_the_other_kind_is_refused(mode: Mode) -> None:
    other = ScriptedTransport(reply(), is_async=not mode.is_async)
    error = Scripted(mode, reply(), transport=other)
    with pytest.raises(ConfigurationError, match="needs the other kind"):
        mode.run(lambda: error.mode.client(**error.arguments).__aenter__())


def test_transport_settings_belong_to_the_transport(mode: Mode) -> None:
    scripted = Scripted(mode, reply(), proxy="http://127.0.0.1:9")
    with pytest.raises(ConfigurationError, match="proxy"):
        mode.run(lambda: mode.client(**scripted.arguments).__aenter__())


def test_a_closed_client_says_so(mode: Mode) -> None:
    scripted = Scripted(mode, reply(completion("hi")))

    async def body() -> None:
        async with mode.client(**scripted.arguments) as client:
            pass
        await mode.create(client, model="m", messages=[])

    with pytest.raises(ConfigurationError, match="closed"):
        mode.run(body)


def test_time_outs_reach_the_transport(mode: Mode) -> None:
    scripted = Scripted(mode, reply(completion("hi")), timeout=50)
    scripted.create(timeout_ms=1500)
    assert scripted.transport.requests[0].limits.timeout == Timeout(1.5, 1.5, 1.5, 1.5)
    error = Scripted(mode, reply()).fails(ConfigurationError, timeout_ms=0)
    assert "timeout_ms" in str(error)


class Everything:
    """A plugin that uses each hook."""

    name = "everything"

    def __init__(self) -> None:
        self.seen: list[Any] = []

    @hookimpl
    def orq_wrap_create(self, call: Any) -> Any:
        self.seen.append(dict(call.options_for("everything")))
        call.note(self.name, wrapped=True)
        return self.around

    async def around(self, call: Any, request: Any, proceed: Any) -> Any:
        async for item in proceed(request):
            self.seen.append(type(item).__name__)
            yield item

    @hookimpl
    def orq_prepare_request(self, http: Any) -> None:
        http.headers["Traceparent"] = "00-fake"

    @hookimpl
    def orq_configure_converter(self, converter: Any) -> None:
        self.seen.append(type(converter).__name__)


def test_a_plugin_sees_the_call_and_each_event(mode: Mode) -> None:
    plugin = Everything()
    scripted = Scripted(mode, STREAM, plugins=[plugin])
    answer = scripted.create(stream=True, plugin_options={"everything": {"level": 3}})
    assert plugin.seen == ["Converter", {"level": 3}, *[ChatCompletionChunk.__name__] * 3]
    assert scripted.transport.requests[0].headers["Traceparent"] == "00-fake"
    assert answer.info.notes == {"everything": {"wrapped": True}}


class Seen:
    """Keeps the call's repr."""

    shown = ""

    @hookimpl
    def orq_wrap_create(self, call: Any) -> None:
        self.shown = repr(call)


def test_neither_a_call_nor_its_options_show_what_may_be_a_secret(mode: Mode) -> None:
    seen = Seen()
    settings = {"caching": {"namespace": KEY}}
    headers = {"X-Api-Key": KEY}
    url = f"{SERVER}/v1?key={KEY}#{KEY}"
    options = CallOptions(server_url=url, plugin_options=settings, http_headers=headers)
    Scripted(mode, reply(completion("a")), plugins=[seen]).create(options=options)
    for shown in (repr(options), seen.shown):
        assert KEY not in shown
        assert f"{SERVER}/v1" in shown
        assert "plugin_options=['caching']" in shown
    with_user = CallOptions(server_url=f"https://user:{KEY}@router.example.test/v1")
    assert "server_url='router.example.test/v1'" in repr(with_user)
    assert KEY not in repr(CallOptions(plugin_options=[KEY]))  # type: ignore[arg-type]
    assert repr(CallOptions()) == (
        "CallOptions(timeout=None, retries=UNSET, server_url=None, accept_header_override=None, "
        "on_truncation=None, plugin_options=[])"
    )


def test_bad_request_is_bad_request(mode: Mode) -> None:
    error = Scripted(mode, reply({"code": 7, "message": "no"}, status=400)).fails(BadRequestError)
    assert error.code == 7


@pytest.mark.parametrize("more", [{}, {"stream": True}])
@pytest.mark.parametrize("body", [b"<html>", b'data: {"a": 1}\n\ndata: {oops\n\n'])
def test_an_answer_that_cannot_be_read_is_kept(
    mode: Mode, body: bytes, more: dict[str, Any]
) -> None:
    headers = {"Content-Type": "text/html", "X-Proxy": f"echo {KEY}", "Set-Cookie": "a=b"}
    scripted = Scripted(mode, reply(body, headers=headers))
    error = scripted.fails(ResponseDecodeError, **more)
    assert error.status_code == 200
    assert error.headers == {"content-type": "text/html", "x-proxy": "echo ***"}
    assert error.body in {b"<html>", b"{oops"}


@pytest.mark.parametrize("status", [200, 500])
def test_a_key_that_comes_back_as_an_id_is_masked(mode: Mode, status: int) -> None:
    echo = {"X-Request-Id": f"for {KEY}", "X-Orq-Trace-Id": KEY}
    scripted = Scripted(mode, reply(b"<html>", status=status, headers=echo))
    error = scripted.fails(OrqError)
    assert (error.request_id, error.trace_id) == ("for ***", "***")
    assert KEY.encode() not in pickle.dumps(error)
