"""The page's table and its chart."""

from __future__ import annotations

import html
from collections.abc import Mapping
from pathlib import Path

from tests.benchmarks.speed.rounds import Figure
from tests.benchmarks.speed.targets import Row, Table

PAGE = Path(__file__).resolve().parents[3] / "docs" / "performance.md"
CHART = PAGE.parent / "_static" / "performance.svg"
_BEGIN, _END = "<!-- begin: {} -->", "<!-- end: {} -->"
CHARTED = ("sync stream, batched", "async stream, batched", "sync call, 1.2 KB")
_COLOURS = {"floor": "#8a8f98", "orq": "#2f6fde"}


def _number(value: float, unit: str = "") -> str:
    digits = 0 if value >= 100 else 1 if value >= 10 else 2
    return f"{value:.{digits}f}{unit and ' ' + unit}"


def targets(rows: list[Row]) -> str:
    """Write the promised figures as a table."""
    lines = ["| figure | reached | target | | the floor's |", "| --- | --: | --: | --- | --: |"]
    for row in rows:
        goal = "" if row.target == float("inf") else f"{'≤' if row.most else '≥'} {row.target:g}"
        floor = "" if row.floor is None else _number(row.floor)
        verdict = "" if not goal else "yes" if row.met else "**no**"
        cells = row.name, _number(row.value, row.unit), goal, verdict, floor
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def contest(table: Table) -> str:
    """Write the CPU of each contestant in each case, and its spread."""
    names = list(dict.fromkeys(name for case in table.values() for name in case))
    lines = [f"| CPU, µs per unit | {' | '.join(names)} |", "| --- |" + " --: |" * len(names)]
    for case, figures in table.items():
        cells = [_cell(figures, name) for name in names]
        lines.append(f"| {case} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _cell(figures: Mapping[str, Figure], name: str) -> str:
    if name not in figures:
        return ""
    figure = figures[name]
    return f"{_number(figure.cpu)} ± {figure.spread * 100:.0f} %"


def written(sections: Mapping[str, str]) -> None:
    """Put generated text where the page has room for it."""
    page = PAGE.read_text()
    for name, text in sections.items():
        begin, end = _BEGIN.format(name), _END.format(name)
        before, _, rest = page.partition(begin)
        page = f"{before}{begin}\n\n{text}\n\n{end}{rest.partition(end)[2]}"
    PAGE.write_text(page)


def chart(table: Table) -> str:
    """Draw the contest of the most telling cases, each bar against the longest of its case."""
    bars: list[str] = []
    at = 10
    for case in (case for case in CHARTED if case in table):
        bars.append(f'<text x="0" y="{at + 12}" class="case">{html.escape(case)}</text>')
        at += 22
        longest = max(figure.cpu for figure in table[case].values())
        for name, figure in sorted(table[case].items(), key=lambda each: each[1].cpu):
            width = max(1.0, 400 * figure.cpu / longest)
            colour = _COLOURS.get(name, "#d98a3d")
            bars += [
                f'<text x="130" y="{at + 12}" class="name">{html.escape(name)}</text>',
                f'<rect x="138" y="{at}" width="{width:.1f}" height="15" fill="{colour}"/>',
                f'<text x="{144 + width:.1f}" y="{at + 12}">{_number(figure.cpu, "µs")}</text>',
            ]
            at += 20
        at += 12
    style = "text{font:12px sans-serif;fill:#666}.name{text-anchor:end}.case{font-weight:bold}"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 640 {at}" role="img">'
        f"<title>CPU of an event or a call</title><style>{style}</style>{''.join(bars)}</svg>\n"
    )
