"""Made-up distributions with plugins, for a process of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

MODULE = """
from orq_core import hookimpl, transform
from attrs import evolve

class Tenant:
    name = "tenant"

    @hookimpl(tryfirst=True)
    def orq_wrap_create(self, call):
        return transform(request=lambda request: evolve(request, metadata={"tenant": "acme"}))

    @hookimpl
    def orq_prepare_request(self, http):
        http.headers["X-Fake-Tenant"] = "fake-secret-tenant"

class Misspelt:
    @hookimpl
    def orq_wrap_creat(self, call): ...

class WrongArgument:
    @hookimpl
    def orq_wrap_create(self, cal): ...

class Hookless:
    def orq_wrap_create(self, call): ...

class Unmade:
    def __init__(self):
        raise ValueError("fake-key-in-a-message")
"""


def install(folder: Path, points: dict[str, str], name: str = "fake-plugins") -> None:
    """Write a distribution with these entry points, of a module `fake_plugins`."""
    folder.mkdir(exist_ok=True)
    (folder / "fake_plugins.py").write_text(MODULE, "utf-8")
    info = folder / f"{name.replace('-', '_')}-1.2.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.2\n", "utf-8")
    lines = "".join(f"{point} = {value}\n" for point, value in points.items())
    (info / "entry_points.txt").write_text(f"[orq]\n{lines}", "utf-8")


def orq(
    *arguments: str, folder: Path | None = None, said: str | None = None, **environ: str
) -> subprocess.CompletedProcess[str]:
    """Run ``python -m orq_core`` with a folder's distributions installed."""
    ours = str(Path(__file__).resolve().parents[2])
    path = os.pathsep.join([*([str(folder)] if folder else []), ours])
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ORQ_")}
    return subprocess.run(
        [sys.executable, "-X", "utf8", "-m", "orq_core", *arguments],
        env={**kept, "PYTHONPATH": path, **environ},
        input=said,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
