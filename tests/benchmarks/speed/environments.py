"""The interpreters of the contestants: peers live in virtual environments of their own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

OWN = "orq-core"
PEERS = {"openai": ["openai[aiohttp]"], "orq-ai-sdk": ["orq-ai-sdk"]}
CONTESTANTS = {
    "floor_requests": OWN,
    "floor_aiohttp": OWN,
    "orq_sync": OWN,
    "orq_async": OWN,
    "orq_sync_plugins": OWN,
    "orq_async_plugins": OWN,
    "openai_sync": "openai",
    "openai_async": "openai",
    "openai_aiohttp": "openai",
    "orq_ai_sdk": "orq-ai-sdk",
    "orq_ai_sdk_async": "orq-ai-sdk",
}
TOLD = ("requests", "aiohttp", "msgspec", "openai", "httpx", "httpx2", "orq-ai-sdk", "orq-core")


def interpreter(contestant: str, folder: Path) -> str:
    """Return the Python that a contestant runs in; makes its environment the first time."""
    name = CONTESTANTS[contestant]
    if name == OWN:
        return sys.executable
    python = folder / name / "bin" / "python"
    done = folder / f"{name}.done"
    if not done.exists():
        print(f"installing {name}", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", folder / name], check=True)
        subprocess.run([python, "-m", "pip", "install", "-q", "-U", *PEERS[name]], check=True)
        done.touch()
    return str(python)


def versions(python: str) -> dict[str, str]:
    """Return the versions of what an interpreter has installed and the report tells."""
    command = [python, "-m", "pip", "list", "--format", "json", "--disable-pip-version-check"]
    listed = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    found = {each["name"].lower(): each["version"] for each in listed}
    return {name: found[name] for name in TOLD if name in found}
