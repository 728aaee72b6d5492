"""What a hostile answer may cost in memory, measured in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.faults.rows.events import HEL, bomb, unlimited
from tests.faults.table import Script
from tests.raw_server import RawServer

ROOT = Path(__file__).resolve().parents[2]
LIMIT = 3 * 64  # MiB: an event or answer may have 64, and is held twice while it is joined
CLIENT = """
import sys
from pathlib import Path
from orq_core import OrqError
from orq_core.testing import Mode

async def body():
    given = {"server_url": sys.argv[2], "discover": False, "timeout": 60}
    async with mode.client(**given) as client:
        ask = {"model": "m", "messages": [], "stream": sys.argv[3] == "stream"}
        answer = await mode.create(client, **ask)
        async for each in mode.iterate(answer):
            pass

def peak():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) // 1024

mode, before = Mode(sys.argv[1]), peak()
try:
    mode.run(body)
except OrqError as error:
    print(type(error).__name__, peak() - before)
"""
HOSTILE: dict[str, tuple[Script, str]] = {
    "a bomb of one event": (bomb(HEL + b"data: ", "text/event-stream"), "stream"),
    "a bomb of JSON": (bomb(b'{"a":"', "application/json"), "json"),
    "a bomb in an error": (bomb(b'{"error":"', "application/json", status="400 x"), "json"),
    "an event without end": (unlimited, "stream"),
}


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="this system does not tell")
@pytest.mark.parametrize("name", HOSTILE)
def test_memory_is_bounded(mode: object, name: str) -> None:
    script, kind = HOSTILE[name]
    way = getattr(mode, "name", "sync")
    with RawServer(script) as server:
        done = subprocess.run(
            [sys.executable, "-c", CLIENT, way, server.url, kind],
            capture_output=True,
            text=True,
            cwd=ROOT,
            timeout=120,
            check=True,
        )
    kind_of_error, grown = done.stdout.split()
    print(f"{name}, {way}: {kind_of_error}, {grown} MiB")
    assert int(grown) < LIMIT
