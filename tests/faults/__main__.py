"""``python -m tests.faults`` runs the fault matrix and prints what came of it, by class of rows."""

from __future__ import annotations

import resource
import sys
import time
from collections import Counter
from pathlib import Path

import pytest


class Results:
    """Counts the cases of each row."""

    def __init__(self) -> None:
        self.cases: Counter[tuple[str, str]] = Counter()

    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo[None]) -> None:
        """Count a case that has run."""
        params = getattr(item, "callspec", None)
        row = None if params is None else params.params.get("row")
        if row is not None and (call.when == "call" or call.excinfo is not None):
            came = "failed" if call.excinfo else "passed"
            self.cases[class_of(row.name), came] += 1

    def table(self) -> str:
        """Write the table."""
        from tests.faults.rows import CLASSES

        lines = [f"{'class':<14}{'rows':>6}{'cases':>8}{'passed':>8}{'failed':>8}"]
        totals = [0, 0, 0, 0]
        for name, rows in CLASSES.items():
            passed, failed = self.cases[name, "passed"], self.cases[name, "failed"]
            figures = [len(rows), passed + failed, passed, failed]
            totals = [total + figure for total, figure in zip(totals, figures, strict=True)]
            lines.append(_line(name, figures))
        return "\n".join([*lines, _line("all", totals)])


def class_of(name: str) -> str:
    """Return the class of a row."""
    # Not before pytest has begun: it wants to be the first to load what it tests.
    from tests.faults.rows import CLASSES

    return next(each for each, rows in CLASSES.items() if any(row.name == name for row in rows))


def _line(name: str, figures: list[int]) -> str:
    rows, *rest = figures
    return f"{name:<14}{rows:>6}" + "".join(f"{figure:>8}" for figure in rest)


def main() -> int:
    """Run the matrix; the status is pytest's."""
    results = Results()
    matrix = str(Path(__file__).with_name("test_matrix.py"))
    began, before = time.monotonic(), held()
    status = pytest.main(["-q", "--no-header", matrix, *sys.argv[1:]], plugins=[results])
    print(results.table())
    print(f"{time.monotonic() - began:.0f} s; before: {before}; after: {held()}")
    return int(status)


def held() -> str:
    """Say what this process holds, where the system tells."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        descriptors = len(list(Path("/proc/self/fd").iterdir())) - 1
    except OSError:
        return "unknown"
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    resident = pages * resource.getpagesize() // 2**20
    return f"{resident} MiB resident, {peak} MiB at most, {descriptors} descriptors"


if __name__ == "__main__":
    sys.exit(main())
