"""The requests in flight, and those flown without a caller."""

from __future__ import annotations

import asyncio
import os
import threading
from typing import TYPE_CHECKING, Any

from orq_core._runtime import drive
from orq_plugins.caching.flight import Flight
from orq_plugins.caching.recording import Recording
from orq_plugins.caching.source import fetch

if TYPE_CHECKING:
    from orq_core import Call, Proceed
    from orq_core.models import ChatCompletionRequest
    from orq_plugins.caching.flight import Landed
    from orq_plugins.caching.guard import GuardedStore

_PATIENCE = 1.0  # seconds that closing a client waits for answers fetched in the background


class Flights:
    """One flight per key and per place: all threads are one place, each event loop another."""

    def __init__(self, store: GuardedStore, max_bytes: int, lease: float) -> None:
        """Begin with nothing in flight."""
        self._store = store
        self._max_bytes = max_bytes
        self._lease = lease
        self._lock = threading.Lock()
        self._flying: dict[tuple[Any, ...], Flight] = {}
        self._background: set[asyncio.Task[None] | threading.Thread] = set()

    def board(
        self,
        call: Call,
        key: str,
        request: ChatCompletionRequest,
        proceed: Proceed,
        landed: Landed,
    ) -> tuple[Flight, bool]:
        """Join the flight of a key, or start it; tells whether this call leads it."""
        place = _place(call, key)
        with self._lock:
            flight = self._flying.get(place)
            if flight is not None and flight.join(call):
                return flight, False
            flight = self._start(call, key, request, proceed, landed)
            flight.lead(call)
            return flight, True

    def refresh(
        self,
        call: Call,
        key: str,
        request: ChatCompletionRequest,
        proceed: Proceed,
        landed: Landed,
    ) -> None:
        """Fetch an answer ahead of need, unless somebody does already; returns at once."""
        with self._lock:
            if _place(call, key) in self._flying:
                return
            flight = self._start(call, key, request, proceed, landed)
        worker: asyncio.Task[None] | threading.Thread
        if call.runtime.is_async:
            worker = asyncio.get_running_loop().create_task(flight.fly_alone())
            worker.add_done_callback(self._background.discard)
        else:
            worker = threading.Thread(target=self._fly, args=(flight,), daemon=True)
        self._background.add(worker)
        if isinstance(worker, threading.Thread):
            worker.start()

    async def settle(self) -> None:
        """Wait a moment for answers that are fetched in the background, then let them be."""
        loop = _running_loop()
        tasks = [
            worker
            for worker in self._background
            if isinstance(worker, asyncio.Task) and worker.get_loop() is loop
        ]
        if tasks:
            await asyncio.wait(tasks, timeout=_PATIENCE)
            for task in tasks:
                task.cancel()
        for worker in tuple(self._background):
            if isinstance(worker, threading.Thread):
                worker.join(_PATIENCE)

    def _fly(self, flight: Flight) -> None:
        try:
            drive(flight.fly_alone())
        finally:
            self._background.discard(threading.current_thread())

    def _start(
        self,
        call: Call,
        key: str,
        request: ChatCompletionRequest,
        proceed: Proceed,
        landed: Landed,
    ) -> Flight:
        place = _place(call, key)
        items = fetch(call, proceed.detached(request), self._store, key, self._lease)

        def gone() -> None:
            with self._lock:
                if self._flying.get(place) is flight:
                    del self._flying[place]

        flight = Flight(items, Recording(self._max_bytes), landed, gone)
        self._flying[place] = flight
        return flight


def _place(call: Call, key: str) -> tuple[Any, ...]:
    loop = asyncio.get_running_loop() if call.runtime.is_async else None
    # The child of a fork must not wait for threads that only its parent has.
    return key, os.getpid(), loop


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
