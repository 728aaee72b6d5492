"""Whether a wait that was given up had reached a limit of its call."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from orq_core.limits import Limits

_EARLY = 0.05  # seconds; timers of some systems and event loops fire that much too early


def reached(limits: Limits, at: float | None) -> bool:
    """Tell whether the clock has come to ``at``, a limit.

    Systems, and sessions and adapters of a caller's own, have time-outs that are none of a call's.
    """
    return at is not None and limits.clock() >= at - _EARLY
