"""The figures that are promised: what each is made of, and what it must reach."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from tests.benchmarks.speed.rounds import Figure

Table = Mapping[str, Mapping[str, Figure]]


class Row(NamedTuple):
    """A figure and its target, the most it may be or else the least.

    ``floor``: what the floor itself reaches of it, where that can be said.
    """

    name: str
    value: float
    target: float
    most: bool = True
    unit: str = ""
    floor: float | None = None

    @property
    def met(self) -> bool:
        """Whether it is reached, to the two digits that are shown."""
        value = round(self.value, 2)
        return value <= self.target if self.most else value >= self.target


_FLOOR = {
    "sync stream, batched": 1.4,
    "sync stream, one event per write": 1.5,
    "sync stream, paced": 1.3,
    "async stream, batched": 1.4,
    "async stream, one event per write, 64": 1.5,
    "async stream, paced, 64": 1.3,
    "sync call, 1.2 KB": 0.65,
    "async call, 1.2 KB, 1": 1.15,
    "async call, 1.2 KB, 32": 1.15,
    "async call, 1.2 KB, 256": 1.15,
    "sync call, 50 KB": 1.2,
    "async call, 50 KB, 32": 1.2,
}
_PEERS = (
    ("openai", "sync stream, batched", 30.0),
    ("openai", "sync stream, one event per write", 20.0),
    ("openai", "sync stream, paced", 3.5),
    ("openai", "async stream, batched", 30.0),
    ("openai", "async stream, one event per write, 64", 20.0),
    ("openai", "async stream, paced, 64", 3.5),
    ("orq-ai-sdk", "sync stream, batched", 150.0),
    ("orq-ai-sdk", "async stream, batched", 150.0),
    ("openai", "sync call, 1.2 KB", 3.0),
    ("orq-ai-sdk", "sync call, 1.2 KB", 20.0),
    ("openai", "async call, 1.2 KB, 32", 12.0),
    ("orq-ai-sdk", "async call, 1.2 KB, 32", 80.0),
)
_GROWTH = (
    ("growth: 1,000 events", "growth: 100,000 events", "1,000 to 100,000 events"),
    ("growth: an event of 1 MB", "growth: an event of 8 MB", "an event of 1 to 8 MB"),
    (
        "growth: 100 events in writes of one byte",
        "growth: 1,000 events in writes of one byte",
        "100 to 1,000 events in writes of one byte",
    ),
)
_LARGE = {
    "large_event": "growth: an event of 8 MB",
    "dense_event": "an event of 8 MB of log probabilities",
}


def _of(table: Table, case: str, value: Callable[[Figure], float]) -> float:
    return value(table[case]["orq"]) / value(table[case]["floor"])


def _cpu(figure: Figure) -> float:
    return figure.cpu


def rows(table: Table, other: Mapping[str, Any]) -> list[Row]:
    """Make the rows whose cases were run."""
    return [*_contested(table), *_scaling(table, other), *_others(other)]


def _contested(table: Table) -> Iterator[Row]:
    for case, target in _FLOOR.items():
        if case in table:
            yield Row(f"{case}: CPU over the floor's", _of(table, case, _cpu), target)
    for peer, case, target in _PEERS:
        if peer in table.get(case, {}):
            costs = table[case][peer].cpu
            less, floor = costs / table[case]["orq"].cpu, costs / table[case]["floor"].cpu
            yield Row(f"{case}: CPU less than {peer}", less, target, most=False, floor=floor)
    for mode, target in (("sync", 0.65), ("async", 1.3)):
        case = f"{mode} time to first event"
        if case in table:
            ratio = _of(table, case, lambda figure: figure.wall)
            yield Row(f"{case}: wall time over the floor's", ratio, target)


def _scaling(table: Table, other: Mapping[str, Any]) -> Iterator[Row]:
    for small, large, name in _GROWTH:
        if small in table and large in table:
            grown = table[large]["orq"].cpu / table[small]["orq"].cpu
            floor = table[large]["floor"].cpu / table[small]["floor"].cpu
            # A unit is an event; of large ones the megabytes count.
            ratio = grown / 8 if "MB" in name else grown / floor
            yield Row(f"growth of the CPU per unit, {name}", ratio, 1.2)
    for event, case in _LARGE.items():
        if case in table and "parses" in other:
            parse = other["parses"][event] * 1e6
            cost, floor = table[case]["orq"].cpu / parse, table[case]["floor"].cpu / parse
            name = f"{case.removeprefix('growth: ')}: CPU over its JSON's"
            yield Row(name, cost, 3.0, floor=floor)
    if (case := "memory of 500 open streams") in table:
        ratio = _of(table, case, lambda figure: figure.size)
        yield Row(f"{case}: over the floor's", ratio, 1.0)
    if "2,000 streams at once" in table and "64 streams at once" in table:
        many, few = table["2,000 streams at once"], table["64 streams at once"]
        ratio, floor = (many[who].cpu / few[who].cpu for who in ("orq", "floor"))
        yield Row("2,000 streams at once: CPU over that of 64", ratio, 1.3, floor=floor)


def _others(other: Mapping[str, Any]) -> Iterator[Row]:
    if "imports" in other:
        ratio = other["imports"]["orq_core"] / other["imports"]["requests"]
        yield Row("import orq_core: CPU over import requests", ratio, 0.5)
    for name, seconds in other.get("constructions", {}).items():
        yield Row(f"another client ({name}): CPU", seconds * 1000, 5.0, unit="ms")
    for mode, stacks in other.get("plugins", {}).items():
        for stack, cost in stacks.items():
            target = 12.0 if stack.startswith("all four") else float("inf")
            yield Row(f"{mode}, {stack}: CPU for an event", cost, target, unit="µs")
