"""A lock that neither the collector nor a fork makes a trap of."""

from __future__ import annotations

import os
import threading
from weakref import WeakSet


class Lock:
    """`threading.RLock`, free in the child of a fork.

    The collector may run anywhere, and dropping a stream ends its call: the holder of a lock may
    come to ask for it again. In the child of a fork nobody else is left to release it.
    """

    def __init__(self) -> None:
        """Begin unlocked."""
        self._lock = threading.RLock()
        _all.add(self)

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()

    def renew(self) -> None:
        """Forget who holds it."""
        self._lock = threading.RLock()


_all: WeakSet[Lock] = WeakSet()


def _renew() -> None:
    for lock in tuple(_all):
        lock.renew()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew)
