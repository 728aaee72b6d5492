"""A store in this process's memory."""

from __future__ import annotations

import time
from collections import OrderedDict
from typing import TYPE_CHECKING

from orq_plugins._lock import Lock
from orq_plugins.caching.stores._bounds import checked_bytes
from orq_plugins.caching.stores.protocol import SECRET

if TYPE_CHECKING:
    from collections.abc import Callable

    from orq_core import Runtime

_OVERHEAD = 200  # bytes that an entry costs beside its key and value, about


class MemoryStore:
    """Keeps up to ``max_bytes``; what was used least recently goes first. Thread-safe.

    ``clock`` gives seconds on a monotonic clock.
    """

    def __init__(
        self, max_bytes: int = 64 * 2**20, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Begin empty."""
        self._max_bytes = checked_bytes(max_bytes)
        self._clock = clock
        self._lock = Lock()
        self._values: OrderedDict[str, tuple[bytes, float | None]] = OrderedDict()
        self._size = 0

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"<MemoryStore {len(self)} entries, {self._size} of {self._max_bytes} bytes>"

    async def get(self, runtime: Runtime, key: str) -> bytes | None:
        """See `Store`."""
        del runtime
        with self._lock:
            found = self._values.get(key)
            if found is None:
                return None
            value, until = found
            if until is not None and until <= self._clock():
                self._remove(key)
                return None
            self._values.move_to_end(key)
            return value

    async def peek(self, runtime: Runtime, key: str) -> bytes | None:
        """See `Store`."""
        del runtime
        with self._lock:
            value, until = self._values.get(key, (None, None))
            return None if until is not None and until <= self._clock() else value

    async def set(self, runtime: Runtime, key: str, value: bytes, ttl: float | None) -> None:
        """See `Store`; a value larger than the whole store is not kept."""
        del runtime
        with self._lock:
            self._remove(key)
            size = _size(key, value)
            if size > self._max_bytes:
                return
            self._values[key] = value, None if ttl is None else self._clock() + ttl
            self._size += size
            while self._size > self._max_bytes:
                self._remove(next(each for each in self._values if each != SECRET))

    async def delete(self, runtime: Runtime, key: str) -> None:
        """See `Store`."""
        del runtime
        with self._lock:
            self._remove(key)

    async def acquire(self, runtime: Runtime, key: str, owner: str, seconds: float) -> bool:
        """Grant it: calls of one process share their requests without a lease."""
        del runtime, key, owner, seconds
        return True

    async def release(self, runtime: Runtime, key: str, owner: str) -> None:
        """Do nothing."""

    async def close(self, runtime: Runtime) -> None:
        """Do nothing: what is kept may be wanted by another client."""

    def _remove(self, key: str) -> None:
        found = self._values.pop(key, None)
        if found is not None:
            self._size -= _size(key, found[0])


def _size(key: str, value: bytes) -> int:
    return 0 if key == SECRET else len(key) + len(value) + _OVERHEAD
