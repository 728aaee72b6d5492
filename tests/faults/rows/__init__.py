"""The rows, by what goes wrong."""

from __future__ import annotations

from tests.faults.rows import (
    bodies,
    connecting,
    cuts,
    events,
    pauses,
    refusals,
    sizes,
    stalls,
    statuses,
)
from tests.faults.table import Row

CLASSES: dict[str, list[Row]] = {
    "connecting": connecting.ROWS,
    "statuses": [*statuses.ROWS, *refusals.ROWS, *bodies.ROWS],
    "streams": [*cuts.ROWS, *events.ROWS, *sizes.ROWS],
    "time": [*stalls.ROWS, *pauses.ROWS],
}
ALL: list[Row] = [row for rows in CLASSES.values() for row in rows]
