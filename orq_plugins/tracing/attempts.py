"""The spans of one call's attempts: a child of the call's span for each HTTP exchange."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from opentelemetry.trace import SpanKind, Status, StatusCode, set_span_in_context

from orq_plugins.tracing.facts import plain_url

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.trace import Span

    from orq_core import Attempt, Call
    from orq_core.transports import HttpRequest
    from orq_plugins.tracing.facts import Found
    from orq_plugins.tracing.telemetry import Telemetry


class Attempts:
    """Begins an attempt's span when its request goes out, and ends it when the next one does.

    An attempt may start in another thread, and after its call has ended: a cache asks on behalf of
    several calls. It then belongs to the trace, but has no span of its own that nobody would end.
    """

    def __init__(self, telemetry: Telemetry, context: Context, place: Found) -> None:
        """Make spans in ``context``, which holds the call's span."""
        self._telemetry = telemetry
        self._context = context
        self._place = place
        # The collector may end a call, of a dropped stream, in the thread that begins its attempt.
        self._lock = threading.RLock()
        self._open: tuple[Span, int] | None = None
        self._over = False
        self.count = 0

    def begin(self, call: Call, http: HttpRequest) -> Context:
        """End the span of the attempt before, begin the next; return the context to send."""
        with self._lock:
            self._end(call)
            if self._is_over():
                return self._context
            self.count += 1
            facts: Found = {
                "address": self._place["address"],
                "port": self._place["port"],
                "method": http.method,
                "url": plain_url(http.url),
                "resends": self.count - 1 or None,
            }
            began = time.time_ns()
            span = self._telemetry.tracer.start_span(
                http.method,
                self._context,
                SpanKind.CLIENT,
                self._telemetry.semconv.attributes(facts),
                start_time=began,
            )
            self._open = span, began
            if self._is_over():
                self._end(call)
                return self._context
            if not span.get_span_context().is_valid:
                return self._context
            return set_span_in_context(span, self._context)

    def end(self, call: Call) -> None:
        """End the last one; there will be no other."""
        with self._lock:
            self._over = True
            self._end(call)

    def _is_over(self) -> bool:
        return self._over

    def _end(self, call: Call) -> None:
        if self._open is None:
            return
        (span, began), self._open = self._open, None
        done = self._finished(call)
        # A stream that is left early is still open here, and its attempt not yet on record.
        status = call.info.status if done is None else done.status
        error = None if done is None else done.error
        if status is not None and status >= 400:
            error = str(status)
        facts: Found = {"status": status, "error": error}
        try:
            span.set_attributes(self._telemetry.semconv.attributes(facts))
            if error is not None:
                span.set_status(Status(StatusCode.ERROR))
        finally:
            # The seconds on record include what came before the request was ready.
            spent = None if done is None else began + int(done.seconds * 1e9)
            span.end(None if spent is None else min(spent, time.time_ns()))

    def _finished(self, call: Call) -> Attempt | None:
        attempts = call.info.attempts
        return attempts[self.count - 1] if len(attempts) >= self.count else None
