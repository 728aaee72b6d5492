"""The spans of attempts, and what the router is told of the trace."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest
from opentelemetry import baggage, context, trace
from opentelemetry.sdk.trace import SpanProcessor
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.trace import SpanKind, StatusCode, TraceFlags
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from orq_core import ConnectError, Orq
from orq_core.testing import LocalRouter, Mode, ScriptedTransport, reply
from orq_plugins import Caching, Retries, Tracing
from tests.plugins.caching.test_calls import Clock
from tests.plugins.talk import HELLO, KEY, OK, OK_STREAM, Talk, ask
from tests.plugins.tracing.conftest import Backend

DOWN = reply({"error": {"message": "down"}}, status=503, headers={"retry-after": "0"})


def sent(talk: Talk, at: int = 0) -> dict[str, str]:
    """Return a request's headers, names in lower case."""
    return {name.lower(): value for name, value in talk.transport.requests[at].headers.items()}


def parts(header: str) -> tuple[int, int, int]:
    """Read a ``traceparent``: trace, span, flags."""
    number, trace_id, span_id, flags = header.split("-")
    assert number == "00"
    return int(trace_id, 16), int(span_id, 16), int(flags, 16)


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
def test_each_attempt_is_a_child_and_its_request_says_so(
    mode: Mode, backend: Backend, streamed: bool
):
    plugins = [Retries(random=lambda: 0.0), backend.tracing()]
    answers = [DOWN, ConnectError("made up"), OK_STREAM if streamed else OK]
    talk = Talk(mode, *answers, plugins=plugins)
    talk.one(stream=streamed, retries=2)
    call, attempts = backend.one, backend.attempts
    assert call.attributes["orq.attempts"] == 3
    assert call.status.status_code is StatusCode.UNSET
    expected = {
        "http.request.method": "POST",
        "url.full": "https://router.example.test/v2/router/chat/completions",
        "server.address": "router.example.test",
        "server.port": 443,
    }
    assert [dict(attempt.attributes) for attempt in attempts] == [
        {**expected, "http.response.status_code": 503, "error.type": "503"},
        {**expected, "http.request.resend_count": 1, "error.type": "ConnectError"},
        {**expected, "http.request.resend_count": 2, "http.response.status_code": 200},
    ]
    failed = [attempt.status.status_code is StatusCode.ERROR for attempt in attempts]
    assert failed == [True, True, False]
    for number, attempt in enumerate(attempts):
        assert (attempt.name, attempt.kind) == ("POST", SpanKind.CLIENT)
        assert attempt.parent.span_id == call.context.span_id
        told = parts(sent(talk, number)["traceparent"])
        assert told[:2] == (attempt.context.trace_id, attempt.context.span_id)
        assert told[2] & TraceFlags.SAMPLED
    ends = [attempt.end_time for attempt in attempts]
    starts = [attempt.start_time for attempt in attempts]
    assert all(end <= start for end, start in zip(ends, starts[1:], strict=False))


def test_a_query_is_not_shown(mode: Mode, backend: Backend):
    server = "https://router.example.test/v2/router?key=fake-canary"
    Talk(mode, OK, plugins=[backend.tracing()], server_url=server).one()
    assert "canary" not in backend.everything()


def test_baggage_is_not_sent(mode: Mode, backend: Backend):
    talk = Talk(mode, OK, plugins=[backend.tracing()])
    token = context.attach(baggage.set_baggage("customer", "fake-canary"))
    try:
        talk.one()
    finally:
        context.detach(token)
    assert set(sent(talk)) >= {"traceparent"}
    assert "canary" not in str(sent(talk))


def test_headers_of_the_caller_stay(mode: Mode, backend: Backend):
    given = {"Traceparent": "00-" + "1" * 32 + "-" + "2" * 16 + "-01"}
    talk = Talk(mode, OK, plugins=[backend.tracing()])
    talk.one(http_headers=given)
    assert sent(talk)["traceparent"] == given["Traceparent"]
    assert (
        len([name for name in talk.transport.requests[0].headers if name.lower() == "traceparent"])
        == 1
    )


def test_the_router_need_not_be_told(mode: Mode, backend: Backend):
    talk = Talk(mode, OK, plugins=[backend.tracing(propagate=False)])
    talk.one()
    assert "traceparent" not in sent(talk)
    assert len(backend.attempts) == 1


def test_a_trace_that_is_not_sampled_is_told_as_such(mode: Mode):
    backend = Backend(sampler=ALWAYS_OFF)
    talk = Talk(mode, OK, plugins=[backend.tracing()])
    answer = talk.one()
    trace_id, _, flags = parts(sent(talk)["traceparent"])
    assert not flags & TraceFlags.SAMPLED
    assert answer.note("tracing")["trace_id"] == trace.format_trace_id(trace_id)
    assert backend.spans == []
    assert len(backend.points("gen_ai.client.operation.duration")) == 1
    backend.close()


def test_without_an_sdk_the_callers_trace_is_passed_on(mode: Mode):
    """A service that only has OpenTelemetry's API hands on what it was called with."""
    given = "00-" + "a" * 32 + "-" + "b" * 16 + "-01"
    parent = TraceContextTextMapPropagator().extract({"traceparent": given, "tracestate": "x=y"})
    token = context.attach(parent)
    plugin = Tracing(tracer_provider=trace.NoOpTracerProvider())
    talk = Talk(mode, OK, OK_STREAM, plugins=[plugin])
    try:
        talk.all({}, {"stream": True})
    finally:
        context.detach(token)
    assert [sent(talk, at)["traceparent"] for at in (0, 1)] == [given] * 2
    assert sent(talk)["tracestate"] == "x=y"


def test_without_a_trace_nothing_is_sent(mode: Mode):
    talk = Talk(mode, OK, plugins=[Tracing(tracer_provider=trace.NoOpTracerProvider())])
    answer = talk.one()
    assert "traceparent" not in sent(talk)
    assert answer.note("tracing") is None


def test_a_router_is_told_over_a_real_connection(
    mode: Mode, backend: Backend, orq_router: LocalRouter
):
    async def body() -> None:
        given = {"api_key": KEY, "server_url": orq_router.url, "plugins": [backend.tracing()]}
        async with mode.client(**given, discover=False) as client:
            await ask(mode, client)

    mode.run(body)
    (request,) = orq_router.requests
    (attempt,) = backend.attempts
    told = parts(request.headers["traceparent"])
    assert told[:2] == (attempt.context.trace_id, attempt.context.span_id)


ASK = {"temperature": 0}


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
def test_a_hit_makes_no_attempt(mode: Mode, backend: Backend, streamed: bool):
    talk = Talk(mode, OK, plugins=[Caching(), backend.tracing()])
    talk.all(ASK, {**ASK, "stream": streamed})
    miss, hit = backend.calls
    assert miss.attributes["orq.cache.result"] == "miss"
    assert miss.attributes["orq.attempts"] == 1
    assert hit.attributes["orq.cache.result"] == "hit"
    assert hit.attributes["orq.attempts"] == 0
    assert len(backend.attempts) == 1
    # Its tokens were paid by the call that asked, and counted there.
    assert "gen_ai.usage.input_tokens" in miss.attributes
    assert "gen_ai.usage.input_tokens" not in hit.attributes


def test_a_refresh_belongs_to_the_trace_of_the_call_that_began_it(mode: Mode, backend: Backend):
    clock = Clock()
    cache = Caching(ttl=10, stale_while_revalidate=100, clock=clock)
    talk = Talk(mode, OK, OK, plugins=[cache, backend.tracing()])

    async def body() -> None:
        async with talk.client() as client:
            await talk.ask(client, **ASK)
            clock.now += 50
            answer = await talk.ask(client, **ASK)
            assert answer.note("caching")["result"] == "stale"

    mode.run(body)  # closing the client waits for the refresh
    assert talk.sent == 2
    stale = backend.calls[1]
    assert stale.attributes["orq.cache.result"] == "stale"
    trace_id, _, _ = parts(sent(talk, 1)["traceparent"])
    assert trace_id == stale.context.trace_id


def test_callers_who_share_a_request_each_have_a_span(backend: Backend, orq_router: LocalRouter):
    """One of them asks; the others say that they waited for it."""
    together = threading.Barrier(3)
    begun = threading.Event()

    def slow(received: Any) -> Any:
        begun.wait(5)
        return OK

    orq_router.always(slow)
    plugins = [backend.tracing(), Caching()]
    with Orq(KEY, server_url=orq_router.url, plugins=plugins, discover=False) as client:

        def one() -> None:
            together.wait(5)
            client.router.chat.completions.create(model="m", messages=HELLO, temperature=0)

        threads = [threading.Thread(target=one) for _ in range(3)]
        for thread in threads:
            thread.start()
        time.sleep(0.1)
        begun.set()
        for thread in threads:
            thread.join(10)
    results = sorted(span.attributes["orq.cache.result"] for span in backend.calls)
    assert results.count("miss") == 1
    assert set(results) <= {"miss", "coalesced", "hit"}
    assert len(orq_router.requests) == len(backend.attempts) == 1
    assert sum(point.count for point in backend.points("gen_ai.client.token.usage")) == 2


def test_a_call_that_the_collector_ends_while_its_attempt_begins(mode: Mode, backend: Backend):
    """A cache goes on asking for a stream that was dropped, so its call may end anywhere."""
    plugin = backend.tracing()

    class Collector(SpanProcessor):
        def on_start(self, span: Any, parent_context: Any = None) -> None:
            for traced in list(plugin._calls.values()) if span.name == "POST" else ():
                (call,) = plugin._calls
                traced._attempts.end(call)

    backend.tracers.add_span_processor(Collector())
    done = threading.Thread(target=Talk(mode, OK, plugins=[plugin]).one, daemon=True)
    done.start()
    done.join(5)
    assert not done.is_alive()
    assert len(backend.attempts) == len(backend.calls) == 1


def test_an_attempt_that_nobody_knows_is_left_alone(mode: Mode, backend: Backend):
    """Headers of a call that went by another client's hooks stay as they are."""
    from orq_core.limits import Limits, Timeout
    from orq_core.transports import HttpRequest

    class Unknown:
        """Can be referred to weakly, as a call can."""

        origin = None

    http = HttpRequest("POST", "http://x.example", {}, b"", Limits.start(Timeout()), stream=False)
    backend.tracing().orq_prepare_request(Unknown(), http)
    assert http.headers == {}
    assert ScriptedTransport(OK, is_async=mode.is_async).requests == []
