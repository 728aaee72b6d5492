"""Spans and metrics of calls by OpenTelemetry; extra ``otel``."""

from orq_plugins.tracing.plugin import Tracing

__all__ = ["Tracing"]
