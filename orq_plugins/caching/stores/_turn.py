"""One operation at a time."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from orq_plugins._lock import Lock

if TYPE_CHECKING:
    from collections.abc import Generator


class Turn(Lock):
    """A lock that is not waited for without end, and whose holder does not begin again within."""

    def __init__(self) -> None:
        """Begin unlocked."""
        super().__init__()
        self._at_work = False

    @contextmanager
    def taken(self, seconds: float) -> Generator[None, None, None]:
        """Hold it; raises TimeoutError if it can't be had in so many seconds.

        So does a call that the collector ends in the midst of another's operation: both use one
        connection, and the other's transaction is not its own.
        """
        self.take(seconds)
        try:
            yield
        finally:
            self.leave()

    def take(self, seconds: float) -> None:
        """Begin to hold it; raises TimeoutError."""
        if not self._lock.acquire(timeout=seconds):
            raise TimeoutError("other threads keep the store busy")
        if self._at_work:
            self._lock.release()
            raise TimeoutError("this thread is in the midst of another operation")
        self._at_work = True

    def leave(self) -> None:
        """Hold it no longer."""
        self._at_work = False
        self._lock.release()

    def renew(self) -> None:
        """Forget who holds it, and what was done."""
        super().renew()
        self._at_work = False
