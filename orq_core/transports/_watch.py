"""The timer of one answer that is being read on an event loop."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from orq_core.limits import Limits


class Watch:
    """Calls ``expire`` once the nearest limit is reached.

    Progress only moves the limit; the timer looks at it when it fires and is set again. So a
    stream of a thousand events costs a few timers and not a thousand.
    """

    def __init__(
        self,
        limits: Limits,
        loop: asyncio.AbstractEventLoop,
        expire: Callable[[], None],
    ) -> None:
        """Watch from now on."""
        self.expired = False
        self._limits = limits
        self._loop = loop
        self._expire = expire
        self._timer: asyncio.TimerHandle | None = None
        self._at: float | None = None
        self.look()

    def look(self) -> None:
        """Set the timer if none runs, or if the nearest limit came nearer than it is set to."""
        nearest = self._limits.next_at
        if nearest is None or (self._at is not None and nearest >= self._at):
            return
        self.cancel()
        self._at = nearest
        delay = max(0.0, nearest - self._limits.clock())
        self._timer = self._loop.call_later(delay, self._fire)

    def cancel(self) -> None:
        """Stop watching."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._at = None

    def _fire(self) -> None:
        self._timer = self._at = None
        nearest = self._limits.next_at
        if nearest is not None and nearest <= self._limits.clock():
            self.expired = True
            self._expire()
        else:
            self.look()
