"""Compares what came out of a plugin with what went in."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from orq_core.testing.conformance.seen import Seen

_ON_PURPOSE = "; declare changes_items=True if this is on purpose"


def difference(seen: Seen, *, whole: bool) -> tuple[str | None, str | None]:
    """Say which item was lost, given twice, moved or changed, and by which line.

    ``whole``: the call was read to its end, so nothing may be missing there.
    """
    given = [each.item for each in seen.inside]
    got = [each.item for each in seen.outside]
    for index, item in enumerate(got):
        if index < len(given) and item == given[index]:
            continue
        problem, where = "was changed or added", seen.outside[index].where
        if item in got[:index]:
            problem = "was given twice"
        elif item in given:
            lost = given[index] not in got[index:]
            # A layer that holds back may be left before it gave what it holds.
            problem = "is missing" if lost else "is out of its order"
            where = seen.inside[index].where if lost else where
        return f"item {index + 1} {problem}{_ON_PURPOSE}", where
    if whole and len(got) < len(given):
        lost_where = seen.inside[len(got)].where or seen.asked
        return f"item {len(got) + 1} is missing{_ON_PURPOSE}", lost_where
    return None, None
