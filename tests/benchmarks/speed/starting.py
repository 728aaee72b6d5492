"""What importing and constructing cost, and one JSON parse: the floors that are no contest."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from pathlib import Path

import msgspec

from tests.benchmarks.speed.environments import interpreter
from tests.benchmarks.speed.payloads import dense_event, large_event
from tests.benchmarks.speed.processes import ROOT, server, worker

_IMPORT = "import time; began = time.process_time(); import {}; print(time.process_time() - began)"


def imports(module: str, rounds: int, python: str = sys.executable) -> float:
    """Return the median seconds of CPU of an import in a fresh process."""
    command = [python, "-c", _IMPORT.format(module)]
    done = (
        subprocess.run(command, capture_output=True, check=True, cwd=ROOT, text=True)
        for _ in range(rounds)
    )
    return statistics.median(float(each.stdout) for each in done)


def constructions(contestants: list[str], rounds: int, folder: Path) -> dict[str, float]:
    """Return the median seconds of CPU of a contestant's second client."""
    result = {}
    with server() as url:
        for name in contestants:
            seen = []
            for _ in range(rounds):
                with worker(interpreter(name, folder), name, url) as one:
                    seen.append(one.start["second"])
            result[name] = statistics.median(seen)
    return result


def parses(megabytes: int, rounds: int) -> dict[str, float]:
    """Return the median seconds of CPU of parsing the JSON of each kind of large event."""
    return {make.__name__: _parse(make(megabytes), rounds) for make in (large_event, dense_event)}


def _parse(stream: bytes, rounds: int) -> float:
    data = stream.partition(b"\n")[0].removeprefix(b"data: ")
    seen = []
    for _ in range(rounds):
        began = time.process_time()
        msgspec.json.decode(data)
        seen.append(time.process_time() - began)
    return statistics.median(seen)
