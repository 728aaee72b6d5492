"""Tables by `rich`; imported only where it is installed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich import box
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orq_core.explain.page import Table

_STYLES = {"+": "green", "-": "red", "~": "yellow", "!": "bold red"}


def show(tables: Sequence[Table], console: Console | None = None) -> None:
    """Print them; cells are text, never markup."""
    console = console or Console()
    for table in tables:
        # A table's own title is as wide as the table, and is broken there.
        if table.title:
            console.print(Text(table.title, style="bold"))
        drawn = RichTable(
            box=box.SIMPLE_HEAD if table.columns else box.SIMPLE,
            show_header=bool(table.columns),
        )
        wide = max(len(row) for row in table.rows)
        for at in range(wide):
            drawn.add_column(table.columns[at] if table.columns else "", overflow="fold")
        for at, row in enumerate(table.rows):
            cells = [Text(cell) for cell in row[:-1]]
            drawn.add_row(*cells, _last(row[-1]), style="red" if at in table.bad else None)
        console.print(drawn)


def _last(cell: str) -> Text:
    """Colour the lines that tell of a change."""
    lines = [Text(line, style=_STYLES.get(line.lstrip()[:1], "")) for line in cell.splitlines()]
    return Text("\n").join(lines)
