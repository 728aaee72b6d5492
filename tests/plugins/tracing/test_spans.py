"""The span of a call: what it says, whose child it is, and that it ends."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import threading
import time
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.trace import SpanKind, StatusCode

from orq_core import ConnectError, hookimpl
from orq_core.testing import (
    DONE,
    Cut,
    LocalRouter,
    Mode,
    Raise,
    Stall,
    Wait,
    chunk,
    completion,
    error_event,
    reply,
    stream,
)
from orq_plugins import Caching, Logging, Redaction, Retries
from tests.plugins.talk import HELLO, KEY, OK, OK_STREAM, Talk, ask
from tests.plugins.tracing.conftest import Backend

USAGE = {
    "prompt_tokens": 5,
    "completion_tokens": 7,
    "total_tokens": 12,
    "prompt_tokens_details": {"cached_tokens": 3, "cache_creation_tokens": 1},
    "completion_tokens_details": {"reasoning_tokens": 2},
}
COMMON = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "orq",
    "gen_ai.request.model": "fake/model",
    "server.address": "router.example.test",
    "server.port": 443,
}


def test_a_whole_answer(mode: Mode, backend: Backend):
    headers = {"x-request-id": "req-fake", "x-orq-trace-id": "trace-fake"}
    given = reply({**completion("hi"), "usage": USAGE}, headers=headers)
    asked = {
        "temperature": 0,
        "top_p": 0.5,
        "top_k": 4,
        "frequency_penalty": 0.25,
        "presence_penalty": 1,
        "max_tokens": 10,
        "max_completion_tokens": 20,
        "seed": 7,
        "n": 2,
        "response_format": {"type": "json_object"},
        "thread": {"id": "thread-fake"},
        "stop": ["never shown"],
    }
    made = Talk(mode, given, plugins=[backend.tracing()]).one(**asked)
    span = backend.one
    assert (span.name, span.kind) == ("chat fake/model", SpanKind.CLIENT)
    assert span.status.status_code is StatusCode.UNSET
    assert dict(span.attributes) == {
        **COMMON,
        "gen_ai.conversation.id": "thread-fake",
        "gen_ai.output.type": "json",
        "gen_ai.request.choice.count": 2,
        "gen_ai.request.seed": 7,
        "gen_ai.request.max_tokens": 20,
        "gen_ai.request.temperature": 0.0,
        "gen_ai.request.top_p": 0.5,
        "gen_ai.request.top_k": 4.0,
        "gen_ai.request.frequency_penalty": 0.25,
        "gen_ai.request.presence_penalty": 1.0,
        "gen_ai.response.id": "chatcmpl-fake",
        "gen_ai.response.model": "fake/model",
        "gen_ai.response.finish_reasons": ("stop",),
        "gen_ai.usage.input_tokens": 5,
        "gen_ai.usage.output_tokens": 7,
        "gen_ai.usage.reasoning.output_tokens": 2,
        "gen_ai.usage.cache_read.input_tokens": 3,
        "gen_ai.usage.cache_creation.input_tokens": 1,
        "orq.call.id": made.info.call_id,
        "orq.outcome": "ok",
        "orq.attempts": 1,
        "orq.request.id": "req-fake",
        "orq.trace.id": "trace-fake",
    }
    scope = span.instrumentation_scope
    assert scope.schema_url == "https://opentelemetry.io/schemas/1.41.1"
    assert made.note("tracing") == {
        "trace_id": trace.format_trace_id(span.context.trace_id),
        "span_id": trace.format_span_id(span.context.span_id),
    }


def test_a_stream(mode: Mode, backend: Backend):
    Talk(mode, OK_STREAM, plugins=[backend.tracing()]).one(stream=True)
    attributes = dict(backend.one.attributes)
    assert attributes["gen_ai.request.stream"] is True
    assert attributes["gen_ai.response.finish_reasons"] == ("stop",)
    assert 0 <= attributes["gen_ai.response.time_to_first_chunk"] < 10


def test_every_choice_has_its_reason(mode: Mode, backend: Backend):
    parts = [
        chunk("b", index=1),
        chunk(finish_reason="length", index=1),
        chunk("a"),
        chunk(finish_reason="stop"),
    ]
    Talk(mode, stream(*parts, DONE), plugins=[backend.tracing()]).one(stream=True, n=2)
    assert backend.one.attributes["gen_ai.response.finish_reasons"] == ("stop", "length")


@pytest.mark.parametrize(
    ("asked", "output"),
    [
        ({"modalities": ["text", "audio"]}, "speech"),
        ({"response_format": {"type": "text"}}, "text"),
        ({"response_format": {"type": "other"}}, None),
        ({}, None),
    ],
    ids=str,
)
def test_what_is_to_be_made(mode: Mode, backend: Backend, asked: Any, output: Any):
    Talk(mode, OK, plugins=[backend.tracing()]).one(**asked)
    assert backend.one.attributes.get("gen_ai.output.type") == output


def test_the_model_that_answered_is_another_after_a_fallback(mode: Mode, backend: Backend):
    given = reply({**completion("hi"), "model": "other/model"})
    asked = {"fallbacks": [{"model": "other/model"}]}
    Talk(mode, given, plugins=[backend.tracing()]).one(**asked)
    attributes = backend.one.attributes
    assert attributes["gen_ai.request.model"] == "fake/model"
    assert attributes["gen_ai.response.model"] == "other/model"


def test_a_server_may_choose_the_model(mode: Mode, backend: Backend):
    talk = Talk(mode, OK, plugins=[backend.tracing()])

    async def body() -> None:
        async with talk.client() as client:
            await mode.create(client, request={"messages": HELLO})

    mode.run(body)
    assert backend.one.name == "chat"
    assert "gen_ai.request.model" not in backend.one.attributes


class Explodes:
    """Fails at its second item; stands inside of others, or outside."""

    def __init__(self, name: str = "explodes") -> None:
        self.name = name

    @hookimpl(trylast=True)
    def orq_wrap_create(self, call: Any) -> Any:
        return explode


class ExplodesOutside:
    name = "outside"

    @hookimpl(wrapper=True)
    def orq_wrap_create(self, call: Any) -> Any:
        layers = yield
        return [explode, *layers]


async def explode(call: Any, request: Any, proceed: Any) -> Any:
    seen = 0
    async for item in proceed(request):
        seen += 1
        if seen == 2 or not call.stream:
            raise ZeroDivisionError("made up")
        yield item


class NeverProceeds:
    """Fails before the layers within are opened."""

    @hookimpl(wrapper=True)
    def orq_wrap_create(self, call: Any) -> Any:
        layers = yield

        async def around(call: Any, request: Any, proceed: Any) -> Any:
            raise ZeroDivisionError("made up")
            yield

        return [around, *layers]


class CannotWrap:
    """Fails after the others have given their layers."""

    @hookimpl(trylast=True)
    def orq_wrap_create(self, call: Any) -> Any:
        raise ZeroDivisionError("made up")


STREAMED = {"stream": True}
BAD = reply({"error": {"message": "no", "code": "nope"}}, status=400)
WAYS_OUT = {
    "ok": (OK, {}, (), "ok", None),
    "ok stream": (OK_STREAM, STREAMED, (), "ok", None),
    "status": (BAD, {}, (), "error", "BadRequestError"),
    "status stream": (BAD, STREAMED, (), "error", "BadRequestError"),
    "connect": (ConnectError("made up"), {}, (), "error", "ConnectError"),
    "truncated": (stream(chunk("a"), chunk("b")), STREAMED, (), "truncated",
                  "StreamTruncatedError"),
    "interrupted": (stream(chunk("a"), Cut()), STREAMED, (), "truncated",
                    "StreamInterruptedError"),
    "stalled": (stream(chunk("a"), Stall()), STREAMED, (), "stalled", "APITimeoutError"),
    "deadline": (stream(chunk("a"), Stall()), {"stream": True, "timeout_ms": 0.5}, (),
                 "deadline", "APITimeoutError"),
    "error event": (stream(chunk("a"), error_event("overloaded")), STREAMED, (), "error",
                    "APIStreamError"),
    "bytes": (reply(b"<html>not json"), {}, (), "error", "ResponseDecodeError"),
    "plugin inside": (OK_STREAM, STREAMED, (Explodes(),), "error", "ZeroDivisionError"),
    "plugin inside whole": (OK, {}, (Explodes(),), "error", "ZeroDivisionError"),
    "plugin outside": (OK_STREAM, STREAMED, (ExplodesOutside(),), "closed_early", None),
    "plugin outside whole": (OK, {}, (ExplodesOutside(),), "closed_early", None),
}  # fmt: skip


@pytest.mark.parametrize("way", WAYS_OUT)
def test_one_span_at_each_end(mode: Mode, backend: Backend, way: str):
    given, call, plugins, outcome, error = WAYS_OUT[way]
    talk = Talk(mode, given, plugins=[backend.tracing(), *plugins])
    with pytest.raises(ZeroDivisionError) if plugins else contextlib.nullcontext():
        talk.one(**call)
    span = backend.one
    assert span.attributes["orq.outcome"] == outcome
    assert span.attributes.get("error.type") == error
    failed = StatusCode.UNSET if error is None else StatusCode.ERROR
    assert (span.status.status_code, span.status.description) == (failed, None)
    assert span.events == ()
    (attempt,) = backend.attempts
    assert attempt.parent.span_id == span.context.span_id
    assert span.start_time <= attempt.start_time <= attempt.end_time <= span.end_time


@pytest.mark.parametrize("plugin", [NeverProceeds(), CannotWrap()], ids=lambda p: type(p).__name__)
def test_a_call_that_never_comes_here_has_no_span(mode: Mode, backend: Backend, plugin: Any):
    with pytest.raises(ZeroDivisionError):
        Talk(mode, OK, plugins=[plugin, backend.tracing()]).one()
    assert backend.spans == []


@pytest.mark.parametrize("leave", ["close", "drop", "raise"])
@pytest.mark.parametrize("read", [0, 1])
def test_a_stream_left_early(mode: Mode, backend: Backend, leave: str, read: int):
    talk = Talk(mode, OK_STREAM, plugins=[backend.tracing()])

    async def body() -> None:
        async with talk.client() as client:
            given = {"messages": HELLO, "model": "fake/model", "stream": True}
            opened = await mode.create(client, **given)
            if read:
                async for _ in mode.iterate(opened):
                    break
            if leave == "close":
                await mode.close(opened)
            elif leave == "raise":
                with pytest.raises(ZeroDivisionError):
                    try:
                        raise ZeroDivisionError
                    finally:
                        await mode.close(opened)
            warned = pytest.warns(ResourceWarning, match="a stream was dropped")
            with warned if leave == "drop" else contextlib.nullcontext():
                del opened
                gc.collect()
                if mode.is_async:
                    # `mode.iterate` holds the stream until the loop has closed it.
                    await asyncio.sleep(0.01)

    mode.run(body)
    span = backend.one
    assert span.attributes["orq.outcome"] == "closed_early"
    assert span.status.status_code is StatusCode.UNSET
    assert "error.type" not in span.attributes
    (attempt,) = backend.attempts
    assert attempt.attributes["http.response.status_code"] == 200
    assert attempt.status.status_code is StatusCode.UNSET


def arrived(router: LocalRouter) -> None:
    latest = time.monotonic() + 20
    while not router.requests and time.monotonic() < latest:
        time.sleep(0.005)


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
def test_a_cancelled_task(backend: Backend, orq_router: LocalRouter, streamed: bool):
    never = threading.Event()
    orq_router.always(stream(chunk("a"), Wait(never)))
    mode = Mode("async")

    async def body() -> None:
        client = {"api_key": KEY, "server_url": orq_router.url, "plugins": [backend.tracing()]}
        async with mode.client(**client, discover=False) as opened:
            task = asyncio.create_task(ask(mode, opened, stream=streamed))
            await asyncio.to_thread(arrived, orq_router)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        never.set()

    mode.run(body)
    assert backend.one.attributes["orq.outcome"] == "cancelled"
    assert backend.one.attributes["error.type"] == "CancelledError"


def test_an_interrupted_thread(backend: Backend):
    given = stream(chunk("a"), Raise(KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        Talk(Mode("sync"), given, plugins=[backend.tracing()]).one(stream=True)
    assert backend.one.attributes["orq.outcome"] == "cancelled"


def test_the_span_is_a_child_of_the_current_one_and_never_current_itself(
    mode: Mode, backend: Backend, caplog: Any
):
    tracer = backend.tracers.get_tracer("test")
    talk = Talk(mode, OK_STREAM, plugins=[backend.tracing()])

    async def body() -> None:
        async with talk.client() as client:
            with tracer.start_as_current_span("outer") as outer:
                given = {"messages": HELLO, "model": "m", "stream": True}
                opened = await mode.create(client, **given)
                assert trace.get_current_span() is outer
            with tracer.start_as_current_span("another") as another:
                async for _ in mode.iterate(opened):
                    assert trace.get_current_span() is another
            assert trace.get_current_span() is trace.INVALID_SPAN

    with caplog.at_level(logging.WARNING, "opentelemetry"):
        mode.run(body)
    spans = {span.name: span for span in backend.spans}
    assert spans["chat m"].parent.span_id == spans["outer"].context.span_id
    assert spans["chat m"].context.trace_id == spans["outer"].context.trace_id
    assert spans["chat m"].end_time > spans["outer"].end_time
    assert caplog.records == []


def test_a_stream_may_be_read_and_closed_by_other_tasks(backend: Backend, caplog: Any):
    mode = Mode("async")
    tracer = backend.tracers.get_tracer("test")
    talk = Talk(mode, OK_STREAM, OK_STREAM, plugins=[backend.tracing()])
    given = {"messages": HELLO, "model": "m", "stream": True}

    async def opened(client: Any) -> Any:
        with tracer.start_as_current_span("opener"):
            return await mode.create(client, **given)

    async def body() -> None:
        async with talk.client() as client:
            for _ in range(2):
                stream = await asyncio.create_task(opened(client))
                await asyncio.create_task(stream.__anext__())
                await asyncio.create_task(stream.aclose())

    with caplog.at_level(logging.WARNING):
        mode.run(body)
    openers = [span for span in backend.spans if span.name == "opener"]
    assert [span.parent.span_id for span in backend.calls] == [
        span.context.span_id for span in openers
    ]
    assert caplog.records == []


def test_two_calls_at_once_are_two_traces(mode: Mode, backend: Backend):
    talk = Talk(mode, OK_STREAM, OK_STREAM, plugins=[backend.tracing()])

    async def body() -> None:
        async with talk.client() as client:
            given = {"messages": HELLO, "stream": True}
            one = await mode.create(client, **given, model="one")
            two = await mode.create(client, **given, model="two")
            readers = [mode.iterate(one), mode.iterate(two)]
            for _ in range(4):
                for reader in readers:
                    await reader.__anext__()
            for each, reader in zip((one, two), readers, strict=True):
                await reader.aclose()
                await mode.close(each)

    mode.run(body)
    one, two = sorted(backend.calls, key=lambda span: span.name)
    assert (one.name, two.name) == ("chat one", "chat two")
    assert one.context.trace_id != two.context.trace_id
    parents = {attempt.parent.span_id for attempt in backend.attempts}
    assert parents == {one.context.span_id, two.context.span_id}


def test_nothing_is_kept_of_a_call(mode: Mode, backend: Backend):
    tracing = backend.tracing()
    talk = Talk(mode, OK, OK_STREAM, stream(chunk("a"), Cut()), plugins=[tracing])
    talk.all({}, {"stream": True}, {"stream": True})
    gc.collect()
    assert len(tracing._calls) == 0


@pytest.mark.parametrize("first", [True, False], ids=["first", "last"])
def test_where_it_stands(mode: Mode, backend: Backend, first: bool):
    others = [Redaction(), Caching(), Retries(random=lambda: 0.0)]
    plugins = [backend.tracing(), *others] if first else [*others, backend.tracing()]
    talk = Talk(mode, OK, plugins=[*plugins, Logging()])

    async def body() -> list[str]:
        async with talk.client() as client:
            from orq_core import CallOptions
            from orq_core.call import Call
            from orq_core.limits import Limits, Timeout
            from orq_core.models import build_request, make_converter

            call = Call(
                build_request(make_converter(), {"messages": HELLO, "temperature": 0}),
                stream=False,
                url="https://router.example.test/v2/router/chat/completions",
                options=CallOptions(),
                runtime=client.runtime,
                limits=Limits.start(Timeout()),
            )
            layers = client._core.manager.hook.orq_wrap_create(call=call)
            return [layer.__qualname__ for layer in layers]

    layers = mode.run(body)
    assert layers[0] == "_Passage.outer"
    assert set(layers[1:3]) == {"Traced.around", "Logging.around"}
    assert layers[3:] == ["Lookup.around", "Retries.around", "_Passage.inner"]
