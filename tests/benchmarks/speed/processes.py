"""Starting and ending the server and the workers."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[3]


@contextlib.contextmanager
def _started(python: str, module: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Start a module that ends when its stdin does."""
    process = subprocess.Popen(
        [python, "-m", f"tests.benchmarks.speed.{module}", *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        # The same for all: no proxy, no key, no settings of the machine's user.
        env={"PATH": os.environ["PATH"], "HOME": os.devnull, "PYTHONHASHSEED": "0"},
    )
    try:
        yield process
    finally:
        assert process.stdin is not None
        process.stdin.close()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        assert process.stdout is not None
        process.stdout.close()


def _line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        raise RuntimeError(f"{process.args} ended with {process.wait()}")
    return line


@contextlib.contextmanager
def server() -> Iterator[str]:
    """Start the server; its URL."""
    with _started(sys.executable, "server") as process:
        yield f"http://127.0.0.1:{int(_line(process))}"


class Worker:
    """A contestant's process."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.start: dict[str, float] = json.loads(_line(process))

    def run(self, case: str) -> dict[str, Any]:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{case}\n")
        self._process.stdin.flush()
        measured: dict[str, Any] = json.loads(_line(self._process))
        return measured


@contextlib.contextmanager
def worker(python: str, contestant: str, url: str) -> Iterator[Worker]:
    """Start a contestant against a server."""
    with _started(python, "worker", contestant, url) as process:
        yield Worker(process)
