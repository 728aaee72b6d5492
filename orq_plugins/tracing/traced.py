"""The layer of one call."""

from __future__ import annotations

from typing import TYPE_CHECKING

from opentelemetry.context import get_current

from orq_plugins.tracing.span import CallSpan

if TYPE_CHECKING:
    from opentelemetry.context import Context

    from orq_core import Call, Items, Proceed
    from orq_core.models import ChatCompletionRequest
    from orq_core.transports import HttpRequest
    from orq_plugins.tracing.attempts import Attempts
    from orq_plugins.tracing.telemetry import Telemetry


class Traced:
    """Opens the call's span when the call starts, and ends it on every way out."""

    def __init__(self, telemetry: Telemetry, *, provider: str, content: bool) -> None:
        """Take the context of ``create``; items may be pulled in another one."""
        self._telemetry = telemetry
        self._provider = provider
        self._content = content
        self._parent = get_current()
        self._attempts: Attempts | None = None

    async def around(self, call: Call, request: ChatCompletionRequest, proceed: Proceed) -> Items:
        """Pass everything on."""
        report = self._telemetry.report
        error: BaseException | None = None
        span = self._open(call, request)
        try:
            async for item in proceed(request):
                if span is not None:
                    try:
                        span.item(item)
                    except Exception as failure:  # noqa: BLE001 - tracers and exporters raise what they like; it is reported once and must not end the call
                        report(failure)
                yield item
        except BaseException as caught:
            error = caught
            raise
        finally:
            if span is not None:
                try:
                    span.end(error)
                except Exception as failure:  # noqa: BLE001 - tracers and exporters raise what they like; it is reported once and must not end the call
                    report(failure)
            # The traceback refers to this frame: without this, a cycle keeps the stream.
            error = None

    def attempt(self, call: Call, http: HttpRequest) -> Context:
        """Begin the span of an attempt; return the context that belongs into its request."""
        return self._parent if self._attempts is None else self._attempts.begin(call, http)

    def _open(self, call: Call, request: ChatCompletionRequest) -> CallSpan | None:
        span = None
        try:
            span = CallSpan(
                self._telemetry, call, request, provider=self._provider, parent=self._parent
            )
            # Not the span itself: it knows the call, by which this object is found.
            self._attempts = span.attempts
            if self._content:
                span.show(request)
        except Exception as failure:  # noqa: BLE001 - tracers and exporters raise what they like; it is reported once and must not end the call
            self._telemetry.report(failure)
        return span
