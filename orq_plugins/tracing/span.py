"""The span of one call, and its metrics."""

from __future__ import annotations

from typing import TYPE_CHECKING

from opentelemetry.trace import (
    SpanKind,
    Status,
    StatusCode,
    format_span_id,
    format_trace_id,
    set_span_in_context,
)

from orq_core.layers import outcome_of
from orq_plugins.tracing.answer import Answer, Said
from orq_plugins.tracing.attempts import Attempts
from orq_plugins.tracing.facts import asked, model_of, where
from orq_plugins.tracing.messages import input_messages, output_messages
from orq_plugins.tracing.semconv import OPERATION

if TYPE_CHECKING:
    from opentelemetry.context import Context

    from orq_core import Call, Item
    from orq_core.models import ChatCompletionRequest
    from orq_plugins.tracing.facts import Found
    from orq_plugins.tracing.semconv import Value
    from orq_plugins.tracing.telemetry import Telemetry


class CallSpan:
    """Begins when it is made. ``attempts`` makes the spans inside of it."""

    def __init__(
        self,
        telemetry: Telemetry,
        call: Call,
        request: ChatCompletionRequest,
        *,
        provider: str,
        parent: Context,
    ) -> None:
        """Start the span."""
        self._telemetry = telemetry
        self._call = call
        self._answer = Answer()
        self._place = where(call, request, provider)
        self._began = call.now()
        self._last: float | None = None
        self._first: float | None = None
        self._attributes: dict[str, Value] = {}
        attributes = telemetry.semconv.attributes({**self._place, **asked(call, request)})
        self._said: Said | None = None
        model = model_of(request)
        self._span = telemetry.tracer.start_span(
            OPERATION if model is None else f"{OPERATION} {model}",
            parent,
            SpanKind.CLIENT,
            {**attributes, "orq.call.id": call.id},
        )
        # Without an SDK there is no span, and what the caller was called with is passed on.
        self._context = parent
        ids = self._span.get_span_context()
        if ids.is_valid:
            self._context = set_span_in_context(self._span, parent)
            call.note(
                "tracing",
                trace_id=format_trace_id(ids.trace_id),
                span_id=format_span_id(ids.span_id),
            )
        self.attempts = Attempts(telemetry, self._context, self._place)

    def show(self, request: ChatCompletionRequest) -> None:
        """Show what is said in both directions, if `Redaction` enforces on this very call."""
        redaction = self._call.info.notes.get("redaction", {})
        if redaction.get("mode") == "enforce" and self._span.is_recording():
            self._said = Said()
            self._say({"input_messages": input_messages(request)})

    def item(self, item: Item) -> None:
        """Take the next item."""
        now = self._call.now()
        self._answer.add(item)
        if self._said is not None:
            self._said.add(item)
        last, self._last = self._last, now
        if last is not None:
            if self._attributes:
                self._record("chunk", now - last, self._attributes)
        elif self._call.stream:
            self._first = now - self._began
            # Without an attempt the times are those of a cache, or of another call.
            if self.attempts.count:
                self._attributes = self._named({})
                self._record("first_chunk", self._first, self._attributes)

    def end(self, error: BaseException | None) -> None:
        """End all spans and record what is known at the end."""
        seconds = self._call.now() - self._began
        try:
            self.attempts.end(self._call)
        finally:
            try:
                self._finish(error)
            finally:
                self._span.end()
        self._measure(seconds, _kind(error))

    def _finish(self, error: BaseException | None) -> None:
        call, span = self._call, self._span
        if not span.is_recording():
            return
        kind = _kind(error)
        facts: Found = {**self._answer.said(), "first_chunk": self._first, "error": kind}
        if self.attempts.count:
            facts |= self._answer.tokens()
        self._say(facts)
        ours: Found = {
            "orq.outcome": outcome_of(error),
            "orq.attempts": self.attempts.count,
            "orq.request.id": call.info.request_id,
            "orq.trace.id": call.info.trace_id,
            "orq.cache.result": self._cached(),
        }
        span.set_attributes({name: value for name, value in ours.items() if value is not None})
        if kind is not None:
            span.set_status(Status(StatusCode.ERROR))
        if self._said is not None:
            self._say({"output_messages": output_messages(self._said.completion())})

    def _say(self, facts: Found) -> None:
        self._span.set_attributes(self._telemetry.semconv.attributes(facts))

    def _measure(self, seconds: float, kind: str | None) -> None:
        attributes = self._named({"error": kind})
        cached = self._cached()
        if cached is not None:
            attributes["orq.cache.result"] = cached
        self._record("duration", seconds, attributes)
        if not self.attempts.count:
            return
        tokens = self._answer.tokens()
        for side in ("input", "output"):
            count = tokens.get(f"{side}_tokens")
            if count is not None:
                self._record("tokens", count, self._named({"token_type": side}))

    def _named(self, more: Found) -> dict[str, Value]:
        facts = {**self._place, "answer_model": self._answer.model, **more}
        return self._telemetry.semconv.attributes(facts)

    def _record(self, fact: str, value: float, attributes: dict[str, Value]) -> None:
        self._telemetry.record(fact, value, attributes, self._context)

    def _cached(self) -> str | None:
        result = self._call.info.notes.get("caching", {}).get("result")
        return result if isinstance(result, str) else None


def _kind(error: BaseException | None) -> str | None:
    """Name what a call failed with; leaving a stream early is no failure."""
    return None if error is None or isinstance(error, GeneratorExit) else type(error).__name__
