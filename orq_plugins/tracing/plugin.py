"""`Tracing`: the plugin."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal
from weakref import WeakKeyDictionary

from orq_core import ConfigurationError, hookimpl
from orq_plugins.tracing.semconv import chosen

if TYPE_CHECKING:
    from opentelemetry.metrics import MeterProvider
    from opentelemetry.trace import TracerProvider

    from orq_core import Call, Layer
    from orq_core.transports import HttpRequest
    from orq_plugins.tracing.traced import Traced

Content = Literal["off", "redacted"]


class Tracing:
    """Gives each call a span, each of its attempts a child span, and records metrics.

    The span is named ``chat {model}``, is a child of the one that is current when ``create`` is
    called, and ends with the call, whatever its end. It is never made the current span.

    ``content``: "off", or "redacted" for the messages of both directions, of calls in which
    `Redaction` enforces and of no others. ``propagate``: tell the router which trace its request
    belongs to, by the headers ``traceparent`` and ``tracestate``; those the caller gives stay.
    ``chunk_times``: record the time of each chunk of a stream, which costs more than all the rest.
    ``provider``: what the conventions' attribute for the provider says. ``semconv``: the version of
    the semantic conventions, see `orq_plugins.tracing.semconv`; default 1.41.1, or what
    ``OTEL_SEMCONV_STABILITY_OPT_IN`` says. ``tracer_provider``, ``meter_provider``: default
    OpenTelemetry's global ones.

    Notes ``trace_id`` and ``span_id`` in ``info.notes["tracing"]``. A span processor, exporter or
    sampler that fails is reported once and never reaches the call.

    Needs the extra ``otel``. Raises ConfigurationError when it is missing, and for an argument that
    can't be used.
    """

    name = "tracing"

    def __init__(
        self,
        *,
        content: Content = "off",
        propagate: bool = True,
        chunk_times: bool = True,
        provider: str = "orq",
        semconv: str | None = None,
        tracer_provider: TracerProvider | None = None,
        meter_provider: MeterProvider | None = None,
    ) -> None:
        """Check the arguments and make the instruments."""
        if content not in {"off", "redacted"}:
            raise ConfigurationError("content: expected one of off, redacted")
        names = chosen(semconv)
        if content != "off" and names.names["input_messages"] is None:
            raise ConfigurationError(f"content: semconv {names.version} has no attribute for it")
        try:
            from orq_plugins.tracing import telemetry, traced  # noqa: PLC0415 - these need OpenTelemetry, an extra that may not be installed
        except ImportError:
            raise ConfigurationError(
                "Tracing needs opentelemetry-api: pip install 'orq-core[otel]'",
            ) from None
        self._layer = traced.Traced
        self._send = telemetry.propagate if propagate else None
        if not chunk_times:
            names = names.without("chunk")
        self._telemetry = telemetry.Telemetry(names, tracer_provider, meter_provider)
        self._provider = provider
        self._content: Content = content
        # A hook of an attempt is given its call and nothing else.
        self._calls: WeakKeyDictionary[Call, Traced] = WeakKeyDictionary()

    @hookimpl(tryfirst=True)
    def orq_wrap_create(self, call: Call) -> Layer:
        """Take part in every call; the context of ``create`` is where its span belongs."""
        traced = self._layer(
            self._telemetry, provider=self._provider, content=self._content != "off"
        )
        self._calls[call] = traced
        return traced.around

    @hookimpl
    def orq_explain(self) -> dict[str, Any]:
        """Tell which conventions spans follow; none is started."""
        return {
            "semconv": self._telemetry.semconv.version,
            "content": self._content,
            "headers": [] if self._send is None else ["traceparent"],
        }

    @hookimpl(trylast=True)
    def orq_prepare_request(self, call: Call, http: HttpRequest) -> None:
        """Begin an attempt's span, and send its context along."""
        traced = self._calls.get(call.origin or call)
        if traced is None:
            return
        try:
            context = traced.attempt(call, http)
            if self._send is not None:
                self._send(http, context)
        except Exception as failure:  # noqa: BLE001 - tracers and exporters raise what they like; it is reported once and must not end the call
            self._telemetry.report(failure)
