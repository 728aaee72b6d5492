"""Where the recorded traffic and the contract are, for the tests that read them."""

from __future__ import annotations

import json
import os
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pytest

ROOT = Path(__file__).resolve().parent.parent
SHARED = Path(os.environ.get("ORQ_SHARED", ROOT.parent / "shared"))

needs_shared = pytest.mark.skipif(
    not (SHARED / "traffic").is_dir(),
    reason=f"no recorded traffic in {SHARED}; ORQ_SHARED names the folder that holds it",
)


class Exchange(NamedTuple):
    """A recorded exchange: what was asked, and what came."""

    name: str
    provider: str
    request: Any
    status: int
    headers: dict[str, str]
    body: str
    stream: bool
    quirks: list[str]


@cache
def exchanges() -> tuple[Exchange, ...]:
    """Load every recorded exchange; nothing if the folder is missing."""
    return tuple(_load(path) for path in sorted(SHARED.glob("traffic/exchanges/*.json")))


def _load(path: Path) -> Exchange:
    recorded = json.loads(path.read_bytes())
    response = recorded["response"]
    return Exchange(
        path.stem,
        recorded["provider"],
        recorded["request"]["body"],
        response["status"],
        response["headers"],
        response["body"],
        recorded["stream"],
        recorded["quirks"],
    )


def json_bodies() -> list[tuple[str, dict[str, Any]]]:
    """List the answers of status 200 that are one JSON object, by name."""
    found = [(e.name, e.body) for e in exchanges() if e.status == 200 and not e.stream]
    return [(name, json.loads(body)) for name, body in found]


def stream_chunks() -> list[tuple[str, dict[str, Any]]]:
    """List the JSON objects in all streams of status 200, each with the name of its exchange."""
    chunks = []
    for exchange in exchanges():
        if exchange.status == 200 and exchange.stream:
            for line in exchange.body.replace("\r\n", "\n").split("\n"):
                data = line.removeprefix("data:").strip()
                if line.startswith("data:") and data != "[DONE]":
                    chunks.append((exchange.name, json.loads(data)))
    return chunks


def contract(name: str) -> Any:
    """Load a JSON file of the contract."""
    return json.loads((SHARED / "contract" / name).read_bytes())
