"""Telemetry in memory: what a backend would be sent."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cached_property
from typing import Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from orq_plugins import Tracing


class Counting(SpanProcessor):
    """Counts what is begun and ended; every span must end exactly once."""

    def __init__(self) -> None:
        self.begun: list[int] = []
        self.ended: list[int] = []

    def on_start(self, span: Any, parent_context: Any = None) -> None:
        self.begun.append(span.get_span_context().span_id)

    def on_end(self, span: Any) -> None:
        self.ended.append(span.get_span_context().span_id)


class Backend:
    """Providers whose spans and metrics stay here."""

    def __init__(self, **provider: Any) -> None:
        self.exporter = InMemorySpanExporter()
        self.counting = Counting()
        self.tracers = TracerProvider(**provider)
        self.tracers.add_span_processor(self.counting)
        self.tracers.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.reader = InMemoryMetricReader()
        self.meters = MeterProvider([self.reader])

    def tracing(self, **given: Any) -> Tracing:
        return Tracing(tracer_provider=self.tracers, meter_provider=self.meters, **given)

    @property
    def spans(self) -> list[Any]:
        """All that ended, checked: none is open, none ended twice."""
        assert sorted(self.counting.begun) == sorted(self.counting.ended)
        return list(self.exporter.get_finished_spans())

    @property
    def calls(self) -> list[Any]:
        return [span for span in self.spans if span.name.startswith("chat")]

    @property
    def attempts(self) -> list[Any]:
        return [span for span in self.spans if span.name == "POST"]

    @property
    def one(self) -> Any:
        (span,) = self.calls
        return span

    @cached_property
    def metrics(self) -> Any:
        """All that was measured until now; exemplars are given once."""
        return self.reader.get_metrics_data()

    def points(self, name: str) -> list[Any]:
        """The data points of a metric; none if nothing was recorded."""
        data = self.metrics
        return [
            point
            for resource in (data.resource_metrics if data else ())
            for scope in resource.scope_metrics
            for metric in scope.metrics
            if metric.name == name
            for point in metric.data.data_points
        ]

    def everything(self) -> str:
        """All that would be exported, as text."""
        metrics = "" if self.metrics is None else self.metrics.to_json()
        return json.dumps([json.loads(span.to_json()) for span in self.spans]) + metrics

    def close(self) -> None:
        self.tracers.shutdown()
        self.meters.shutdown()


@pytest.fixture
def backend() -> Iterator[Backend]:
    made = Backend()
    yield made
    made.close()
