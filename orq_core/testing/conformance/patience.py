"""Ends a call that does not end by itself."""

from __future__ import annotations

import asyncio
import sys
import threading
from typing import TYPE_CHECKING, Any

from orq_core.testing.conformance.watch import waiting_line

if TYPE_CHECKING:
    from typing_extensions import Self

    from orq_core.testing.conformance.seen import Seen

PATIENCE = 15.0  # seconds for what takes milliseconds, or the time to load a model of words


class Patience:
    """A clock beside a call: when it is over, the waits of the library are ended.

    In blocking mode that is `Call.sleep`, under asyncio whatever is awaited. What holds the thread
    itself, as a lock does, can't be ended from outside.
    """

    def __init__(self, client: Any, seen: Seen | None = None) -> None:
        """Watch over the calls of a client; tell ``seen`` at which line one waits."""
        self._client = client
        self._seen = seen
        self._thread_id = threading.get_ident()
        self._task: asyncio.Task[Any] | None = None
        self._timer = threading.Timer(PATIENCE, self._over)
        self._timer.daemon = True

    def __enter__(self) -> Self:
        """Begin to wait."""
        if self._client.runtime.is_async:
            self._task = asyncio.current_task()
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Wait no more."""
        self._timer.cancel()
        self._timer.join()
        self._task = None

    def _over(self) -> None:
        if self._task is not None:
            self._task.get_loop().call_soon_threadsafe(self._cancel)
            return
        if self._seen is not None:
            frame = sys._current_frames().get(self._thread_id)  # noqa: SLF001 - documented in spite of its name, and the only way to the frame of another thread
            origin = self._seen.origin
            self._seen.stuck = origin.of_frame(frame) or origin.definition
            del frame
        self._client.runtime.interrupt()

    def _cancel(self) -> None:
        if self._task is None:
            return
        if self._seen is not None:
            self._seen.stuck = waiting_line(self._seen) or self._seen.origin.definition
        self._task.cancel()
