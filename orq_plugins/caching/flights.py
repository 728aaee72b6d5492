"""The requests in flight, and those flown without a caller."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import threading
import time
from typing import TYPE_CHECKING, Any

from attrs import evolve

from orq_core import CallInfo
from orq_core._runtime import drive
from orq_plugins._lock import Lock
from orq_plugins.caching.flight import Flight
from orq_plugins.caching.recording import Recording
from orq_plugins.caching.source import Source

if TYPE_CHECKING:
    from orq_core import Call, Proceed, Runtime
    from orq_core.models import ChatCompletionRequest
    from orq_plugins.caching.guard import GuardedStore
    from orq_plugins.caching.landing import Landing

_PATIENCE = 1.0  # seconds that closing a client waits for answers fetched in the background


class Flights:
    """One flight per key and per place: all threads are one place, each event loop another."""

    def __init__(self, store: GuardedStore, max_bytes: int, lease: float) -> None:
        """Begin with nothing in flight."""
        self._store = store
        self._max_bytes = max_bytes
        self._lease = lease
        self._lock = Lock()
        self._flying: dict[tuple[Any, ...], Flight] = {}
        self._background: set[asyncio.Task[None] | threading.Thread] = set()

    def board(
        self, call: Call, request: ChatCompletionRequest, proceed: Proceed, landing: Landing
    ) -> tuple[Flight, bool]:
        """Join the flight of a key, or start it; tells whether this call leads it."""
        with self._lock:
            flight = self._flying.get(_place(call, landing.key))
            if flight is not None and flight.join(call, landing.ttl):
                return flight, False
            return self._start(call, request, proceed, landing), True

    def refresh(
        self, call: Call, request: ChatCompletionRequest, proceed: Proceed, landing: Landing
    ) -> None:
        """Fetch an answer ahead of need, unless somebody does already; returns at once."""
        place = _place(call, landing.key)
        # Its caller is told of the answer that is served, not of the attempts at the next one.
        call = evolve(call, info=CallInfo(call_id=call.id), origin=call)
        with self._lock:
            if place in self._flying:
                return
            flight = self._start(call, request, proceed, landing)
        if call.runtime.is_async:
            task = asyncio.get_running_loop().create_task(_flown(flight, call))
            self._background.add(task)
            task.add_done_callback(self._background.discard)
            # It may be cancelled before it begins.
            task.add_done_callback(lambda _: self._forget(place, flight))
            return
        thread = threading.Thread(target=self._fly, args=(flight, call), daemon=True)
        self._background.add(thread)
        try:
            thread.start()
        except RuntimeError:
            # There are too many already, or the interpreter is about to end.
            self._background.discard(thread)
            drive(flight.leave(call))

    async def settle(self, runtime: Runtime) -> None:
        """Wait a moment for answers that are fetched in the background, then let them be."""
        workers = tuple(self._background)
        if not runtime.is_async:
            latest = time.monotonic() + _PATIENCE
            for worker in workers:
                if isinstance(worker, threading.Thread):
                    worker.join(max(0.0, latest - time.monotonic()))
            return
        loop = asyncio.get_running_loop()
        tasks = {
            worker
            for worker in workers
            if isinstance(worker, asyncio.Task) and worker.get_loop() is loop
        }
        if tasks:
            late = (await asyncio.wait(tasks, timeout=_PATIENCE))[1]
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late, timeout=_PATIENCE)

    def _fly(self, flight: Flight, call: Call) -> None:
        try:
            drive(_flown(flight, call))
        finally:
            self._background.discard(threading.current_thread())

    def _start(
        self, call: Call, request: ChatCompletionRequest, proceed: Proceed, landing: Landing
    ) -> Flight:
        place = _place(call, landing.key)
        source = Source(call, proceed.detached(request, call), self._store, self._lease, landing)
        # No flight refers to itself: it has to go with its last caller, not with the collector.
        gone = functools.partial(self._forget, place)
        recording = Recording(self._max_bytes, landing.choices)
        flight = Flight(source, recording, landing, gone, call.now)
        flight.lead(call)
        self._flying[place] = flight
        return flight

    def _forget(self, place: tuple[Any, ...], flight: Flight) -> None:
        with self._lock:
            if self._flying.get(place) is flight:
                del self._flying[place]


async def _flown(flight: Flight, call: Call) -> None:
    """Follow a flight to its end for those who will ask."""
    at = 0
    try:
        # There is nobody to be told of a failure.
        with contextlib.suppress(Exception):
            while await flight.next(call, at, leads=True) is not None:
                at += 1
    finally:
        await flight.leave(call)


def _place(call: Call, key: str) -> tuple[Any, ...]:
    loop = asyncio.get_running_loop() if call.runtime.is_async else None
    # Whoever takes a truncated answer for a whole one gets it from nobody who raises, and the child
    # of a fork must not wait for threads that only its parent has.
    return key, call.options.on_truncation, os.getpid(), loop
