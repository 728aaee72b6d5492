"""What each plugin costs: CPU per event of a stream, and per call.

``python -m tests.benchmarks.plugins`` prints microseconds of CPU over what the same calls take
without plugins, and the ratio to it, in both modes: medians of interleaved rounds in one process,
over a transport without sockets. Absolute times mean little; the floor is in the same run.
"""

from __future__ import annotations

import argparse
import gc
import json
import logging
import statistics
import time
from collections.abc import Callable, Iterable
from typing import Any

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from orq_core.testing import DONE, MODES, Mode, ScriptedTransport, chunk, completion, reply, stream
from orq_plugins import (
    Budget,
    BudgetLimit,
    Caching,
    Logging,
    RateLimit,
    Redaction,
    Retries,
    Tracing,
)

SENTENCE = "The quick brown fox jumps over the lazy dog, again and again; nobody knows why."
WORDS = SENTENCE.split()
ASK: dict[str, Any] = {
    "model": "fake/model",
    "messages": [{"role": "user", "content": "Say something long, please: " + " ".join(WORDS)}],
    "temperature": 0,
    "retries": 2,
}

TRACERS = TracerProvider()
TRACERS.add_span_processor(BatchSpanProcessor(InMemorySpanExporter()))
SDK: dict[str, Any] = {
    "tracer_provider": TRACERS,
    "meter_provider": MeterProvider([InMemoryMetricReader()]),
}

Made = Callable[[], list[Any]]
STACKS: dict[str, Made] = {
    "none": list,
    "Retries": lambda: [Retries()],
    "Logging": lambda: [Logging()],
    "Caching": lambda: [Caching(max_entry_bytes=2**26)],
    "Redaction": lambda: [Redaction()],
    "Tracing, no SDK": lambda: [Tracing()],
    "Tracing": lambda: [Tracing(**SDK)],
    "Tracing, no chunks": lambda: [Tracing(**SDK, chunk_times=False)],
    "RateLimit": lambda: [RateLimit(requests_per_minute=10**9, tokens_per_minute=10**12)],
    "Budget": lambda: [Budget(BudgetLimit(tokens=10**12, cost=10**6), prices={"*": (1, 2)})],
    "all four": lambda: [Redaction(), Logging(), Caching(max_entry_bytes=2**26), Retries()],
}


def answer(events: int, form: str = "{} ") -> Any:
    """Make a stream of so many events of a word each, sent in pieces as a network does."""
    parts = [chunk(form.format(WORDS[at % len(WORDS)])) for at in range(events)]
    return stream(*parts, chunk(finish_reason="stop"), DONE).chunked_at(every=16384)


async def once(mode: Mode, plugins: list[Any], given: Any, *, calls: int, **more: Any) -> float:
    """Return the CPU seconds of so many calls on one client."""
    transport = ScriptedTransport(given, is_async=mode.is_async)
    arguments = {"api_key": "fake", "transport": transport, "plugins": plugins, "discover": False}
    ask = {**ASK, **more}
    if not any(isinstance(plugin, Retries) for plugin in plugins):
        ask.pop("retries")
    async with mode.client(**arguments) as client:
        warm = {**ask, "messages": [{"role": "user", "content": "warm"}]}
        await read(mode, await mode.create(client, **warm))
        began = time.process_time()
        for number in range(calls):
            # Each call asks something new, or a cache would answer it.
            result = await mode.create(client, **ask, seed=number)
            await read(mode, result)
        return time.process_time() - began


async def read(mode: Mode, result: Any) -> None:
    """Read a stream to its end."""
    if not hasattr(result, "choices"):
        async for _ in mode.iterate(result):
            pass


def measured(
    mode: Mode, rounds: int, given: Any, calls: int, names: Iterable[str] = STACKS, **more: Any
) -> dict[str, float]:
    """Return the median CPU seconds of each stack, rounds interleaved."""
    taken: dict[str, list[float]] = {name: [] for name in names}
    for _ in range(rounds):
        for name, times in taken.items():
            plugins = STACKS[name]()
            gc.collect()
            times.append(mode.run(lambda p=plugins: once(mode, p, given, calls=calls, **more)))
    return {name: statistics.median(times) for name, times in taken.items()}


def events(rounds: int, count: int = 4000) -> dict[str, dict[str, float]]:
    """Return what each stack costs an event in each mode, in microseconds of CPU."""
    logging.getLogger("orq").setLevel(logging.INFO)
    costs: dict[str, dict[str, float]] = {}
    for mode in MODES:
        taken = measured(mode, rounds, answer(count), 1, stream=True)
        floor = taken.pop("none")
        costs[mode.name] = {name: (each - floor) / count * 1e6 for name, each in taken.items()}
        # A word is held until it is certain that it goes on as no address.
        led = measured(mode, rounds, answer(count, " {}"), 1, ("none", "all four"), stream=True)
        costs[mode.name]["all four, spaces first"] = (led["all four"] - led["none"]) / count * 1e6
    return costs


def main() -> None:
    """Print the table, and with ``--json`` the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--events", type=int, default=4000)
    parser.add_argument("--calls", type=int, default=150)
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    arguments = parser.parse_args()
    logging.getLogger("orq").setLevel(logging.INFO)
    figures: dict[str, Any] = {}
    for mode in MODES:
        events = measured(mode, arguments.rounds, answer(arguments.events), 1, stream=True)
        whole = reply(completion(" ".join(WORDS * 4)))
        calls = measured(mode, arguments.rounds, whole, arguments.calls)
        figures[mode.name] = {
            name: {
                "event_us": (events[name] - events["none"]) / arguments.events * 1e6,
                "event_ratio": events[name] / events["none"],
                "call_us": (calls[name] - calls["none"]) / arguments.calls * 1e6,
                "call_ratio": calls[name] / calls["none"],
            }
            for name in STACKS
        }
        figures[mode.name]["none"]["event_us"] = events["none"] / arguments.events * 1e6
        figures[mode.name]["none"]["call_us"] = calls["none"] / arguments.calls * 1e6
    if arguments.json:
        print(json.dumps(figures, indent=1))
        return
    for name, rows in figures.items():
        print(f"\n{name}: CPU over no plugin (the floor's own in the first row)")
        print(f"  {'':<19}{'µs/event':>10}{'ratio':>8}{'µs/call':>10}{'ratio':>8}")
        for stack, row in rows.items():
            print(
                f"  {stack:<19}{row['event_us']:>10.2f}{row['event_ratio']:>8.2f}"
                f"{row['call_us']:>10.1f}{row['call_ratio']:>8.2f}",
            )


if __name__ == "__main__":
    main()
