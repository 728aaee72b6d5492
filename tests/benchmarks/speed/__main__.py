"""``python -m tests.benchmarks.speed``: this client against the floors and its peers."""

from __future__ import annotations

import argparse
from pathlib import Path

from tests.benchmarks.speed.rounds import everything


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("only", nargs="*", help="words; cases without one of them are left out")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--folder", type=Path, default=Path(".speed"), help="for environments")
    arguments = parser.parse_args()
    everything(arguments.only, arguments.rounds, arguments.folder)


if __name__ == "__main__":
    main()
