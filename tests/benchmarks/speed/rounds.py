"""Running the contestants against each other, in turns."""

from __future__ import annotations

import statistics
import sys
from pathlib import Path
from typing import Any, NamedTuple

from tests.benchmarks.speed.cases import CASES, Case
from tests.benchmarks.speed.environments import interpreter
from tests.benchmarks.speed.processes import server, worker

SYNC = {"floor": "floor_requests", "orq": "orq_sync", "openai": "openai_sync"}
ASYNC = {
    "floor": "floor_aiohttp",
    "orq": "orq_async",
    "openai": "openai_async",
    "openai, aiohttp": "openai_aiohttp",
}
# A case with peers in it; growth is each contestant's own affair.
CONTESTED = ("stream", "call", "time")
_ROUNDS_OF_PEERS = 3


class Figure(NamedTuple):
    """Medians over the rounds, per unit: microseconds of CPU and of wall time, or bytes."""

    cpu: float
    wall: float
    size: float
    # Half the distance between the quartiles, as a part of the median.
    spread: float


def contestants(case: Case) -> dict[str, str]:
    """Return who runs a case, by the name in the report."""
    names = dict(SYNC if case.mode == "sync" else ASYNC)
    sdk = "orq_ai_sdk" if case.mode == "sync" else "orq_ai_sdk_async"
    contested = any(word in case.name for word in CONTESTED) and "at once" not in case.name
    if not contested or case.kind == "memory":
        return {name: names[name] for name in ("floor", "orq")}
    if case.kind != "first" and "paced" not in case.name:
        names["orq-ai-sdk"] = sdk
    return names


def figure(runs: list[dict[str, Any]]) -> Figure:
    """Summarize the rounds of one contestant in one case."""
    cpu = [run["cpu"] / run["units"] * 1e6 for run in runs]
    wall = [(run["seconds"] or run["wall"]) / run["units"] * 1e6 for run in runs]
    size = [run["bytes"] / run["units"] for run in runs]
    low, _, high = statistics.quantiles(cpu, n=4) if len(cpu) > 1 else (cpu[0],) * 3
    middle = statistics.median(cpu)
    return Figure(
        middle, statistics.median(wall), statistics.median(size), (high - low) / 2 / middle
    )


def play(case: Case, rounds: int, folder: Path) -> dict[str, Figure]:
    """Run one case; contestants take turns, so that what disturbs one round disturbs all.

    Each round is a process of its own. Where its objects lie in memory makes one process up to a
    tenth slower than another of the same code for as long as it lives, and memory that was used
    once is not given back.
    """
    names = contestants(case)
    runs: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
    with server() as url:
        for turn in range(rounds):
            for name, contestant in names.items():
                # The slow ones would take most of the time, and their spread is small.
                if turn < _ROUNDS_OF_PEERS or name in {"floor", "orq"}:
                    with worker(interpreter(contestant, folder), contestant, url) as one:
                        if case.kind != "memory":
                            one.run(case.name)
                        runs[name].append(one.run(case.name))
    units = {run["units"] / run["times"] for each in runs.values() for run in each}
    if len(units) != 1:
        raise RuntimeError(f"{case.name}: something was lost: {units}")
    return {name: figure(each) for name, each in runs.items()}


def everything(only: list[str], rounds: int, folder: Path) -> dict[str, dict[str, Figure]]:
    """Run the cases whose names have one of the words in them, or all."""
    chosen = [case for case in CASES if not only or any(word in case.name for word in only)]
    table = {}
    for case in chosen:
        table[case.name] = play(case, rounds, folder)
        floor = table[case.name]["floor"]
        ratios = (f"{n} {f.cpu / floor.cpu:.2f}" for n, f in table[case.name].items())
        print(f"{case.name}: {', '.join(ratios)}", file=sys.stderr)
    return table
