"""A sliding window over the last minute, in slots of a second.

The sliding window log, with what falls into one second counted as one (the sliding window of
Figma, "An alternative approach to rate limiting", 2017, and of Cloudflare, "Counting things, a lot
of different things", 2017, without their rounding). A slot counts until its last moment is a minute
ago, so no minute, wherever it begins, holds more than the limit; a token bucket or GCRA of the same
rate and burst would let nearly twice as much through within one.
"""

from __future__ import annotations

import math
from collections import OrderedDict

MINUTE = 60.0
SLOT = 1.0  # seconds


class Window:
    """What was taken, by slot; not thread-safe."""

    __slots__ = ("_slots", "_used")

    def __init__(self) -> None:
        """Begin empty."""
        self._slots: OrderedDict[int, int] = OrderedDict()
        self._used = 0

    def wait(self, now: float, need: int, limit: int) -> float:
        """Return the seconds until ``need`` fits below ``limit``, 0 if it does now.

        What is more than the limit fits when nothing else is there.
        """
        self._forget(now)
        over = self._used + min(need, limit) - limit
        if over <= 0:
            return 0.0
        for slot, amount in self._slots.items():
            over -= amount
            if over <= 0:
                return _until(slot) - now
        return MINUTE  # corrections took more back than was there: never with whole calls

    def add(self, now: float, amount: int) -> int:
        """Count ``amount`` now and return the slot it is counted in."""
        self._forget(now)
        slot = math.floor(now / SLOT)
        self._slots[slot] = self._slots.get(slot, 0) + amount
        self._used += amount
        return slot

    def correct(self, slot: int, by: int) -> None:
        """Count more, or less, in a slot that has not passed yet."""
        if by and slot in self._slots:
            self._slots[slot] += by
            self._used += by

    def is_empty(self, now: float) -> bool:
        """Tell whether nothing counts any more."""
        self._forget(now)
        return not self._slots

    def _forget(self, now: float) -> None:
        while self._slots:
            slot = next(iter(self._slots))
            if _until(slot) > now:
                return
            self._used -= self._slots.pop(slot)


def _until(slot: int) -> float:
    return (slot + 1) * SLOT + MINUTE
