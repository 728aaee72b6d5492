"""What reading one event costs: each way there is, beside the fast JSON decoder alone.

``python -m tests.benchmarks.decoding`` prints microseconds of CPU for each, the smallest of many
rounds, and their ratio to the floor: the decoder making a dict of the same event.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable

import msgspec

from orq_core._accumulate import Accumulator
from orq_core._answers import StreamReader, unfolded
from orq_core._sse import Decoder
from orq_core.models import ChatCompletionChunk, make_converter
from orq_core.testing import chunk

EVENTS = 2000
ROUNDS = 15
BODY = {
    **chunk("token"),
    "id": "chatcmpl-fake0123456789fake",
    "created": 1_700_000_000,
    "service_tier": "default",
    "system_fingerprint": "fp_fake",
    "usage": None,
}
DATA = [json.dumps({**BODY, **chunk(f" token{number:05}")}).encode() for number in range(EVENTS)]
STREAM = b"".join(b"data: " + data + b"\n\n" for data in DATA)


def cpu(run: Callable[[], object]) -> float:
    """Return the microseconds of CPU for one event."""
    seconds = []
    for _ in range(ROUNDS):
        began = time.process_time()
        run()
        seconds.append(time.process_time() - began)
    return min(seconds) / EVENTS * 1e6


def main() -> None:
    """Print the table."""
    converter = make_converter()
    structure = converter.get_structure_hook(ChatCompletionChunk)
    decode = msgspec.json.Decoder().decode
    bodies = [decode(data) for data in DATA]
    chunks = [structure(body, ChatCompletionChunk) for body in bodies]

    def reader(*, templates: bool) -> StreamReader:
        made = StreamReader(converter, max_event_bytes=2**26)
        made.templates._off |= not templates
        return made

    def chunks_of(*, templates: bool) -> list[object]:
        return [*unfolded(reader(templates=templates).read(STREAM))]

    pieces = reader(templates=True).read(STREAM)

    def add(items: object) -> None:
        accumulator = Accumulator()
        for item in items:  # type: ignore[attr-defined]
            accumulator.take(item)

    ways: dict[str, Callable[[], object]] = {
        "floor: JSON to dict": lambda: [decode(data) for data in DATA],
        "bytes to events": lambda: Decoder().blocks(STREAM),
        "dict to chunk": lambda: [structure(body, ChatCompletionChunk) for body in bodies],
        "bytes to chunks, each parsed": lambda: chunks_of(templates=False),
        "bytes to chunks, by template": lambda: chunks_of(templates=True),
        "  of which: making the models": lambda: [*unfolded(pieces)],
        "accumulating chunks": lambda: add(chunks),
        "accumulating what they are made of": lambda: add(pieces),
    }
    figures = {name: cpu(run) for name, run in ways.items()}
    floor = next(iter(figures.values()))
    print(f"{'':<36}{'µs':>8}{'ratio':>8}")
    for name, figure in figures.items():
        print(f"{name:<36}{figure:>8.2f}{figure / floor:>8.2f}")


if __name__ == "__main__":
    main()
