"""The rows, by what goes wrong."""

from __future__ import annotations

from tests.faults.rows import connecting, statuses
from tests.faults.table import Row

ALL: list[Row] = [*connecting.ROWS, *statuses.ROWS]
