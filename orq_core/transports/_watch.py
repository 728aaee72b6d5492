"""The timer of all answers that are being read on one event loop."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import asyncio

    from orq_core.limits import Limits


_LINGERING = 0.25  # seconds


class Watched(Protocol):
    """An answer that must not be waited for beyond its limits."""

    @property
    def limits(self) -> Limits:
        """What it is held to."""
        ...

    def rests(self) -> bool:
        """Tell whether nobody waits for it; whoever does so next must have it looked at."""
        ...

    def expire(self) -> None:
        """Fail who waits for it."""
        ...


class Watches:
    """Lets answers expire once the nearest of their limits is reached.

    Progress only moves a limit; the one timer looks at all of them when it fires, and is set to the
    nearest of the rest. So a thousand calls, or a stream of a thousand events, cost a few timers.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        """Watch on the loop that is running."""
        self._loop = loop
        self._open: set[Watched] = set()
        self._lingering: set[Watched] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._at = float("inf")

    def add(self, watched: Watched) -> None:
        """Watch an answer until it is discarded or expires."""
        self._open.add(watched)
        self.look(watched)

    def discard(self, watched: Watched) -> None:
        """Watch it no longer."""
        self._open.discard(watched)

    def linger(self, watched: Watched) -> None:
        """Let an answer expire soon, of which only the end of its body is waited for."""
        self._lingering.add(watched)
        watched.limits.phase_at = watched.limits.clock() + _LINGERING
        self.look(watched)

    def close(self) -> None:
        """Let those expire at once that nobody else knows."""
        for watched in tuple(self._lingering):
            watched.expire()
        self._lingering.clear()

    def look(self, watched: Watched) -> None:
        """Set the timer to an answer's nearest limit, if that is nearer than what it is set to."""
        self._set(watched, watched.limits.next_at)

    def _set(self, watched: Watched, limit: float | None) -> None:
        if limit is None:
            return
        at = self._loop.time() + limit - watched.limits.clock()
        if at < self._at:
            if self._timer is not None:
                self._timer.cancel()
            self._at = at
            self._timer = self._loop.call_at(at, self._fire)

    def _fire(self) -> None:
        self._timer, self._at = None, float("inf")
        for watched in tuple(self._open):
            limits = watched.limits
            nearest, total_at, now = limits.next_at, limits.total_at, limits.clock()
            if nearest is None or nearest > now:
                self.look(watched)
            elif (total_at is None or total_at > now) and watched.rests():
                # The server has not been asked for more.
                self._set(watched, total_at)
            else:
                self._open.discard(watched)
                self._lingering.discard(watched)
                watched.expire()
