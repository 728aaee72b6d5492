"""What is measured: how each case asks, how often, and what counts as one unit."""

from __future__ import annotations

from typing import Literal, NamedTuple

from tests.benchmarks.speed.payloads import EVENTS

Kind = Literal["stream", "json", "first", "memory"]


class Case(NamedTuple):
    """``at_once`` calls at a time, ``calls`` in all, to a model of the server's."""

    name: str
    mode: Literal["sync", "async"]
    kind: Kind
    model: str
    calls: int = 1
    at_once: int = 1


CASES = (
    Case("sync stream, batched", "sync", "stream", f"batched-{EVENTS}", 4),
    Case("sync stream, one event per write", "sync", "stream", f"each-{EVENTS}", 2),
    Case("sync stream, paced", "sync", "stream", "paced-1000"),
    Case("async stream, batched", "async", "stream", f"batched-{EVENTS}", 4),
    Case("async stream, one event per write, 64", "async", "stream", "each-500", 64, 64),
    Case("async stream, paced, 64", "async", "stream", "paced-100", 64, 64),
    Case("sync call, 1.2 KB", "sync", "json", "json-1", 200),
    Case("async call, 1.2 KB, 1", "async", "json", "json-1", 200),
    Case("async call, 1.2 KB, 32", "async", "json", "json-1", 320, 32),
    Case("async call, 1.2 KB, 256", "async", "json", "json-1", 768, 256),
    Case("sync call, 50 KB", "sync", "json", "json-50", 50),
    Case("async call, 50 KB, 32", "async", "json", "json-50", 96, 32),
    Case("sync time to first event", "sync", "first", "each-2", 100),
    Case("async time to first event", "async", "first", "each-2", 100),
    Case("growth: 1,000 events", "async", "stream", "batched-1000", 4),
    Case("growth: 100,000 events", "async", "stream", "batched-100000"),
    Case("growth: an event of 1 MB", "async", "stream", "large-1", 4),
    Case("growth: an event of 8 MB", "async", "stream", "large-8"),
    Case("an event of 8 MB of log probabilities", "async", "stream", "dense-8"),
    Case("growth: 100 events in writes of one byte", "async", "stream", "bytes-100"),
    Case("growth: 1,000 events in writes of one byte", "async", "stream", "bytes-1000"),
    Case("2,000 streams at once", "async", "stream", "each-100", 2000, 2000),
    Case("64 streams at once", "async", "stream", "each-100", 1984, 64),
    Case("memory of 500 open streams", "async", "memory", "held-10", 500, 500),
)
BY_NAME = {case.name: case for case in CASES}
