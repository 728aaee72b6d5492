"""Callers that wait, in the order in which they came: threads and tasks in one line."""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from collections import OrderedDict
from typing import TYPE_CHECKING

from orq_plugins._lock import Lock

if TYPE_CHECKING:
    from orq_core import Call

_LOOK = 0.02  # seconds between two looks of the one thread that is first
_SLICE = 0.25  # seconds after which other threads look whether their client was closed


class Place:
    """One caller's place in the line.

    ``is_told``: the store has said that it has to wait, until ``after`` if that is known.
    """

    __slots__ = ("_event", "_future", "_loop", "after", "is_told")

    def __init__(self, call: Call) -> None:
        """Take note of how to wake this caller."""
        self.after: float | None = None
        self.is_told = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._future: asyncio.Future[None] | None = None
        self._event: threading.Event | None = None
        if call.runtime.is_async:
            self._loop = asyncio.get_running_loop()
            self._future = self._loop.create_future()
        else:
            self._event = threading.Event()

    def wake(self) -> None:
        """Have it look again; from any thread."""
        if self._event is not None:
            self._event.set()
        elif self._loop is not None:
            # A loop that is closed has nobody left to wake.
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._tell)

    def _tell(self) -> None:
        if self._future is not None and not self._future.done():
            self._future.set_result(None)

    async def wait(self, call: Call, seconds: float, *, first: bool) -> None:
        """Wait to be woken, at most so long; it may end early."""
        if self._event is not None:
            if first:
                # Nothing wakes a thread from the call's own pause, so these are short ones.
                until = call.now() + seconds
                while not self._event.is_set() and (left := until - call.now()) > 0:
                    await call.sleep(min(left, _LOOK))
                self._event.clear()
                return
            began = call.now()
            self._event.wait(min(seconds, _SLICE, threading.TIMEOUT_MAX))
            self._event.clear()
            call.info.waited += call.now() - began
        elif self._future is not None and self._loop is not None:
            began = call.now()
            try:
                await asyncio.wait((self._future,), timeout=seconds)
            finally:
                call.info.waited += call.now() - began
            if self._future.done():
                self._future = self._loop.create_future()
        await call.sleep(0)  # raises when the client was closed


class Queue:
    """Lines of places, one for each scope; the first of a line is the one that may ask."""

    def __init__(self) -> None:
        """Begin with nobody waiting."""
        self._lock = Lock()
        self._lines: dict[str, OrderedDict[Place, None]] = {}
        self._pid = os.getpid()

    def join(self, scope: str, place: Place) -> None:
        """Stand at the end of a line."""
        with self._lock:
            if self._pid != os.getpid():
                # Those in line are threads of the parent.
                self._lines, self._pid = {}, os.getpid()
            self._lines.setdefault(scope, OrderedDict())[place] = None

    def leave(self, scope: str, place: Place) -> None:
        """Leave, from wherever in the line; whoever is first then looks."""
        with self._lock:
            line = self._lines.get(scope)
            if line is None:
                return
            line.pop(place, None)
            if not line:
                del self._lines[scope]
        self.wake(scope)

    def first(self, scope: str) -> Place | None:
        """Return who is first in line."""
        with self._lock:
            line = self._lines.get(scope)
            return next(iter(line)) if line else None

    def wake(self, scope: str) -> None:
        """Have the first in line look again."""
        first = self.first(scope)
        if first is not None:
            first.wake()

    def wake_all(self) -> None:
        """Have everybody in all lines look again."""
        with self._lock:
            places = [place for line in self._lines.values() for place in line]
        for place in places:
            place.wake()

    def length(self, scope: str) -> int:
        """Return how many wait."""
        with self._lock:
            return len(self._lines.get(scope, ()))
