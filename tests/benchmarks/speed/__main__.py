"""``python -m tests.benchmarks.speed``: this client against the floors and its peers."""

from __future__ import annotations

import argparse
import json
import platform
import sys
from pathlib import Path
from typing import Any

from tests.benchmarks.plugins import events
from tests.benchmarks.speed import report
from tests.benchmarks.speed.environments import interpreter, versions
from tests.benchmarks.speed.rounds import everything
from tests.benchmarks.speed.starting import constructions, imports, parses
from tests.benchmarks.speed.targets import rows


def others(rounds: int, folder: Path) -> dict[str, Any]:
    """Measure what is no contest of calls."""
    return {
        "imports": {module: imports(module, rounds) for module in ("requests", "orq_core")},
        "constructions": constructions(["orq_sync", "orq_async"], 3, folder),
        "parses": parses(8, rounds),
        "plugins": events(rounds),
    }


def made_with(folder: Path) -> str:
    """Tell the versions of everything that ran."""
    told = {"Python": platform.python_version()}
    for contestant in ("orq_sync", "openai_sync", "orq_ai_sdk"):
        told.update(versions(interpreter(contestant, folder)))
    return ", ".join(f"{name} {version}" for name, version in told.items())


def main() -> None:
    """Run, print, and with ``--report`` write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("only", nargs="*", help="words; cases without one of them are left out")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--folder", type=Path, default=Path(".speed"), help="for environments")
    parser.add_argument("--json", type=Path, help="a file for all figures")
    parser.add_argument("--report", action="store_true", help="write docs/performance.md")
    given = parser.parse_args()
    folder: Path = given.folder.resolve()
    table = everything(given.only, given.rounds, folder)
    other = {} if given.only else others(given.rounds, folder)
    reached = rows(table, other)
    sections = {
        "targets": report.targets(reached),
        "contest": report.contest(table),
        "versions": made_with(folder),
    }
    print("\n\n".join(sections.values()))
    if given.json:
        figures = {case: {n: f._asdict() for n, f in each.items()} for case, each in table.items()}
        whole = {"cases": figures, "other": other, "versions": sections["versions"]}
        given.json.write_text(json.dumps(whole, indent=1))
    if given.report:
        report.written(sections)
        report.CHART.write_text(report.chart(table))
    missed = [row.name for row in reached if not row.met]
    print(f"{len(reached) - len(missed)} of {len(reached)} targets reached", file=sys.stderr)


if __name__ == "__main__":
    main()
