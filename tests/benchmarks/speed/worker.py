"""One contestant in a process of its own: ``python -m tests.benchmarks.speed.worker NAME URL``.

Reads the names of cases from stdin, a line each, and answers each with a line of JSON: the
seconds of CPU and of wall time, and the units they were spent on.
"""

from __future__ import annotations

import asyncio
import gc
import importlib
import json
import sys
import time
from pathlib import Path
from typing import Any

from tests.benchmarks.speed.cases import BY_NAME, Case

# Seconds of CPU in one run of a case: a few milliseconds say more of the machine than of the code.
LEAST = 0.25


def _resident() -> int:
    """Return the bytes of memory that this process holds."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


def blocking(contestant: Any, case: Case) -> dict[str, float]:
    """Run a case in this thread."""
    if case.kind == "first":
        return {
            "units": case.calls,
            "seconds": sum(map(contestant.first, [case.model] * case.calls)),
        }
    units = 0
    for _ in range(case.calls):
        units += contestant.read(case.model) if case.kind == "stream" else _one(contestant, case)
    return {"units": units}


def _one(contestant: Any, case: Case) -> int:
    contestant.complete(case.model)
    return 1


async def concurrent(contestant: Any, case: Case) -> dict[str, float]:
    """Run a case as so many tasks."""
    if case.kind == "memory":
        return await held(contestant, case)

    async def work() -> tuple[float, float]:
        units, seconds = 0, 0.0
        for _ in range(case.calls // case.at_once):
            if case.kind == "stream":
                units += await contestant.read(case.model)
            elif case.kind == "first":
                units, seconds = units + 1, seconds + await contestant.first(case.model)
            else:
                await contestant.complete(case.model)
                units += 1
        return units, seconds

    done = await asyncio.gather(*(work() for _ in range(case.at_once)))
    result = {"units": sum(units for units, _ in done)}
    return {**result, "seconds": sum(s for _, s in done)} if case.kind == "first" else result


async def held(contestant: Any, case: Case) -> dict[str, float]:
    """Tell the memory of streams that are open and have delivered their first event."""
    # What the first call imports and makes is held by no stream.
    await contestant.read("each-5")
    gc.collect()
    before = _resident()
    opened, go = asyncio.Semaphore(0), asyncio.Event()
    waiting = (contestant.hold(case.model, opened.release, go) for _ in range(case.at_once))
    tasks = [asyncio.create_task(each) for each in waiting]
    for _ in tasks:
        await opened.acquire()
    gc.collect()
    grown = _resident() - before
    go.set()
    await asyncio.gather(*tasks)
    return {"units": case.at_once, "bytes": grown}


def measured(contestant: Any, case: Case, loop: asyncio.AbstractEventLoop) -> dict[str, float]:
    """Run a case until it took long enough to say something; CPU is this process's alone."""
    gc.collect()
    total = dict.fromkeys(("cpu", "wall", "units", "times", "seconds", "bytes"), 0.0)
    while not total["times"] or (total["cpu"] < LEAST and case.kind != "memory"):
        total["times"] += 1
        cpu, wall = time.process_time(), time.perf_counter()
        if case.mode == "sync":
            result = blocking(contestant, case)
        else:
            result = loop.run_until_complete(concurrent(contestant, case))
        result["cpu"], result["wall"] = time.process_time() - cpu, time.perf_counter() - wall
        for name, value in result.items():
            total[name] += value
    return total


def main(name: str, url: str) -> None:
    """Serve one contestant until stdin ends."""
    began = time.process_time()
    module = importlib.import_module(f"tests.benchmarks.speed.contestants.{name}")
    imported = time.process_time()
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)

    async def make() -> Any:
        return module.Contestant(url)

    # Asyncio's clients want a running loop.
    contestant = loop.run_until_complete(make())
    made = time.process_time()
    again = loop.run_until_complete(make())
    figures = {"import": imported - began, "first": made - imported}
    print(json.dumps({**figures, "second": time.process_time() - made}), flush=True)
    for line in sys.stdin:
        print(json.dumps(measured(contestant, BY_NAME[line.strip()], loop)), flush=True)
    for each in (contestant, again):
        if (closing := each.close()) is not None:
            loop.run_until_complete(closing)
    loop.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
