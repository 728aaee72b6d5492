"""Tables for a terminal: plain text, or by `rich` where it is installed."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from attrs import define

if TYPE_CHECKING:
    from collections.abc import Sequence

_GAP = "  "


@define(frozen=True)
class Table:
    """A heading and rows of cells; the last cell of a row may have several lines.

    ``columns`` are the names of the columns; none are shown when it is empty. ``bad`` holds the
    numbers of rows that tell of something broken.
    """

    title: str
    rows: Sequence[tuple[str, ...]]
    columns: tuple[str, ...] = ()
    bad: frozenset[int] = frozenset()


def plain(tables: Sequence[Table]) -> str:
    """Write tables as text, one below the other."""
    return "\n\n".join("\n".join(_lines(table)) for table in tables if table.rows)


def show(tables: Sequence[Table]) -> None:
    """Print tables: in colour on a terminal if `rich` is there (extra ``rich``), else as text."""
    if sys.stdout.isatty():
        try:
            from orq_core.explain import _rich  # noqa: PLC0415 - it imports rich, an extra that may not be installed
        except ImportError:
            pass
        else:
            _rich.show([table for table in tables if table.rows])
            return
    sys.stdout.write(plain(tables) + "\n")


def _lines(table: Table) -> list[str]:
    rows = [table.columns, *table.rows] if table.columns else list(table.rows)
    counted = max(len(row) for row in rows) - 1
    widths = [max(len(row[at]) for row in rows if at < len(row) - 1) for at in range(counted)]
    lines = [table.title] if table.title else []
    for row in rows:
        *cells, last = row
        head = _GAP.join(cell.ljust(width) for cell, width in zip(cells, widths, strict=False))
        indent = _GAP * bool(table.title)
        first, *more = last.splitlines() or [""]
        lines.append(f"{indent}{head}{_GAP * bool(cells)}{first}".rstrip())
        below = " " * (len(head) + len(_GAP) * bool(cells))
        lines.extend(f"{indent}{below}{line}".rstrip() for line in more)
    return lines
