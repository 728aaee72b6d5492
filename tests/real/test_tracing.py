"""Spans and metrics of calls to a real model server, sent to a receiver in another process."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from typing import Any

import pytest
import requests

from orq_core import ConnectError
from orq_plugins import Caching, Redaction, Retries, Tracing
from tests.real.conftest import HERE, need
from tests.real.test_plugins import ASK

pytestmark = pytest.mark.real


class Collector:
    """The receiver, and an SDK that sends to it."""

    def __init__(self, url: str) -> None:
        from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.metrics import MeterProvider
        from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor

        self.url = url
        resource = Resource.create({"service.name": "orq-core-test"})
        self.tracers = TracerProvider(resource=resource)
        exporter = OTLPSpanExporter(f"{self.url}/v1/traces")
        self.tracers.add_span_processor(BatchSpanProcessor(exporter))
        reader = PeriodicExportingMetricReader(OTLPMetricExporter(f"{self.url}/v1/metrics"))
        self.meters = MeterProvider([reader], resource=resource)

    def tracing(self) -> Tracing:
        providers = {"tracer_provider": self.tracers, "meter_provider": self.meters}
        return Tracing(**providers, content="redacted")

    def flush(self) -> None:
        """Send everything; there will be no more."""
        self.tracers.shutdown()
        self.meters.shutdown()

    def received(self) -> dict[str, list[Any]]:
        self.flush()
        received: dict[str, list[Any]] = requests.get(self.url, timeout=10).json()
        return received


@pytest.fixture
def collector():
    need("opentelemetry.sdk", "opentelemetry.exporter.otlp.proto.http", "opentelemetry.proto")
    command = [sys.executable, HERE / "otlp_receiver.py"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    process = subprocess.Popen(command, **pipes, text=True)
    yield Collector(process.stdout.readline().strip())
    process.communicate(timeout=10)


def plain(value: dict[str, Any]) -> Any:
    """Read OTLP's AnyValue as protobuf's JSON has it."""
    ((kind, held),) = value.items()
    if kind == "arrayValue":
        return [plain(each) for each in held["values"]]
    return int(held) if kind == "intValue" else held


def attributes(of: dict[str, Any]) -> dict[str, Any]:
    return {each["key"]: plain(each["value"]) for each in of.get("attributes", ())}


def scopes(messages: list[Any], kind: str) -> list[Any]:
    """Return the scopes of all messages, each checked to be this service's and of this plugin."""
    found = []
    for message in messages:
        for resource in message[f"resource{kind}"]:
            assert attributes(resource["resource"])["service.name"] == "orq-core-test"
            for scope in resource[f"scope{kind}"]:
                assert scope["scope"]["name"] == "orq_plugins.tracing"
                assert scope["schemaUrl"] == "https://opentelemetry.io/schemas/1.41.1"
                found.append(scope)
    return found


def test_what_a_receiver_gets(open_client, server, collector, capsys):
    plugins = [Caching(), Redaction(), Retries(), collector.tracing()]
    client = open_client(server_url=server.url, plugins=plugins, discover=False)
    whole = client.create(**ASK)
    client.create(**ASK)
    streamed = client.create(
        **{**ASK, "seed": 2}, stream=True, stream_options={"include_usage": True}
    )
    streamed.completion()
    left = client.create(**{**ASK, "seed": 3}, stream=True)
    next(iter(left))
    left.close()
    gone = open_client(server_url="http://127.0.0.1:9", plugins=plugins, discover=False)
    with pytest.raises(ConnectError):
        gone.create(**{**ASK, "seed": 4}, retries=1)
    received = collector.received()
    assert "canary" not in json.dumps(received)

    spans = [span for each in scopes(received["/v1/traces"], "Spans") for span in each["spans"]]
    calls = [span for span in spans if span["name"] == "chat tiny"]
    attempts = [span for span in spans if span["name"] == "POST"]
    assert len(calls) + len(attempts) == len(spans)
    assert {span["kind"] for span in spans} == {"SPAN_KIND_CLIENT"}
    calls.sort(key=lambda span: int(span["startTimeUnixNano"]))
    told = [attributes(span) for span in calls]
    assert [each["orq.outcome"] for each in told] == ["ok", "ok", "ok", "closed_early", "error"]
    assert [each["orq.attempts"] for each in told] == [1, 0, 1, 1, 2]
    assert [each.get("orq.cache.result") for each in told] == [
        "miss",
        "hit",
        "miss",
        "miss",
        "miss",
    ]
    assert told[4]["error.type"] == "ConnectError"
    assert [span.get("status", {}).get("code") for span in calls] == [None] * 4 + [
        "STATUS_CODE_ERROR"
    ]
    # Which call each attempt belongs to.
    owners = [span["spanId"] for span in calls]
    assert sorted(owners.index(span["parentSpanId"]) for span in attempts) == [0, 2, 3, 4, 4]
    ids = base64.b64decode(calls[0]["traceId"]).hex(), base64.b64decode(calls[0]["spanId"]).hex()
    assert ids == tuple(whole.info.notes["tracing"].values())
    assert told[0]["gen_ai.usage.output_tokens"] == whole.usage.completion_tokens
    (asked,) = json.loads(told[0]["gen_ai.input.messages"])
    assert asked["parts"][0]["content"] == "I am <EMAIL_1>. Which color?"
    assert whole.text in json.loads(told[0]["gen_ai.output.messages"])[0]["parts"][0]["content"]

    metrics = {
        metric["name"]: metric
        for each in scopes(received["/v1/metrics"], "Metrics")
        for metric in each["metrics"]
    }
    assert set(metrics) == {
        "gen_ai.client.operation.duration",
        "gen_ai.client.operation.time_to_first_chunk",
        "gen_ai.client.operation.time_per_output_chunk",
        "gen_ai.client.token.usage",
    }
    counts = {
        name: sum(int(point["count"]) for point in metric["histogram"]["dataPoints"])
        for name, metric in metrics.items()
    }
    assert counts["gen_ai.client.operation.duration"] == 5
    assert counts["gen_ai.client.operation.time_to_first_chunk"] == 2
    assert counts["gen_ai.client.token.usage"] == 4
    (point, *_) = metrics["gen_ai.client.token.usage"]["histogram"]["dataPoints"]
    assert point["explicitBounds"][:3] == [1, 4, 16]
    with capsys.disabled():
        print(f"\n{len(calls)} calls, {len(attempts)} attempts; values by metric: {counts}")
