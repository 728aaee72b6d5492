"""What the calls of one plugin share: a tracer, the histograms, and the names they go by."""

from __future__ import annotations

import logging
from importlib.metadata import version
from typing import TYPE_CHECKING

from opentelemetry import metrics, trace
from opentelemetry.propagators.textmap import Setter
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

if TYPE_CHECKING:
    from collections.abc import Mapping

    from opentelemetry.context import Context
    from opentelemetry.metrics import MeterProvider
    from opentelemetry.trace import TracerProvider

    from orq_core.transports import HttpRequest
    from orq_plugins.tracing.semconv import Semconv, Value

SCOPE = "orq_plugins.tracing"

_log = logging.getLogger("orq")


class Telemetry:
    """Makes spans and records metrics; providers left out are OpenTelemetry's global ones."""

    def __init__(
        self,
        semconv: Semconv,
        tracer_provider: TracerProvider | None,
        meter_provider: MeterProvider | None,
    ) -> None:
        """Make the instruments; a provider that is set up later is found when it is there."""
        ours, schema = version("orq-core"), semconv.schema_url
        self.semconv = semconv
        self.tracer = trace.get_tracer(SCOPE, ours, tracer_provider, schema)
        meter = metrics.get_meter(SCOPE, ours, meter_provider, schema)
        self._histograms = {
            fact: meter.create_histogram(
                metric.name,
                metric.unit,
                metric.description,
                explicit_bucket_boundaries_advisory=metric.boundaries,
            )
            for fact, metric in semconv.metrics.items()
        }
        self._has_failed = False

    def record(
        self, fact: str, value: float, attributes: Mapping[str, Value], context: Context
    ) -> None:
        """Record a value, if the conventions have a metric for it."""
        histogram = self._histograms.get(fact)
        if histogram is not None:
            histogram.record(value, attributes, context)

    def report(self, failure: Exception) -> None:
        """Say that telemetry failed, once, without what the failure says."""
        if not self._has_failed:
            self._has_failed = True
            _log.warning(
                "tracing failed (%s); calls go on, and this is not said again",
                type(failure).__name__,
            )


class _Headers(Setter["HttpRequest"]):
    """Sets headers that the caller has not set."""

    def set(self, carrier: HttpRequest, key: str, value: str) -> None:
        if key.lower() not in {name.lower() for name in carrier.headers}:
            carrier.headers[key] = value


_headers = _Headers()
# Not the global propagator: that one sends baggage too, which is not for another's servers.
_propagator = TraceContextTextMapPropagator()


def propagate(http: HttpRequest, context: Context) -> None:
    """Write ``traceparent`` and ``tracestate``, of W3C Trace Context, into a request."""
    _propagator.inject(http, context, _headers)
