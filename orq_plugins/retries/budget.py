"""A token bucket per destination, so that repeats can't multiply an outage."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

from orq_plugins._lock import Lock

if TYPE_CHECKING:
    from collections.abc import Hashable

_KEYS = 1024  # destinations remembered; the one not seen for longest is forgotten, and starts full
# Repeated additions of 0.1 fall short of 1 by rounding.
_ROUNDING = 1e-9


class Budget:
    """Earned by first attempts, spent by repeats; safe to use from any thread or task.

    Every destination starts with ``capacity`` tokens and never has more. The method is the retry
    throttling of gRPC (proposal A6), with whole tokens for repeats and fractions for calls.
    """

    def __init__(self, capacity: float, refill: float) -> None:
        """Hold ``capacity`` tokens for each destination and add ``refill`` for each call."""
        self._capacity = capacity
        self._refill = refill
        self._tokens: OrderedDict[Hashable, float] = OrderedDict()
        self._lock = Lock()

    def earn(self, destination: Hashable) -> None:
        """Note a first attempt."""
        with self._lock:
            self._set(destination, self._get(destination) + self._refill)

    def spend(self, destination: Hashable) -> bool:
        """Take the token of one repeat; False when there is none, and nothing is taken."""
        with self._lock:
            left = self._get(destination) - 1
            if left < -_ROUNDING:
                return False
            self._set(destination, left)
            return True

    def _get(self, destination: Hashable) -> float:
        return self._tokens.get(destination, self._capacity)

    def _set(self, destination: Hashable, tokens: float) -> None:
        self._tokens[destination] = max(0.0, min(self._capacity, tokens))
        self._tokens.move_to_end(destination)
        if len(self._tokens) > _KEYS:
            self._tokens.popitem(last=False)
