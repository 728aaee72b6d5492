"""How one call's repeats go: counted, timed, and given up for a reason."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from attrs import define, field

from orq_plugins.retries.verdict import asked_to_wait, repeatable

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator

    from orq_core import OrqError
    from orq_core.call import Call
    from orq_plugins.retries.budget import Budget
    from orq_plugins.retries.policy import Schedule

GaveUp = Literal[
    "delivered",
    "not repeatable",
    "attempts",
    "elapsed",
    "retry_after",
    "deadline",
    "budget",
]


@define(eq=False)
class Course:
    """The state of one call; made when its first attempt starts."""

    call: Call
    schedule: Schedule
    random: Callable[[], float]
    routed: bool = field(kw_only=True)
    budget: Budget | None = field(kw_only=True)
    destination: Hashable = field(kw_only=True)
    _began: float = field(init=False)
    _pauses: list[float] = field(init=False, factory=list[float])
    _waited: float = field(init=False, default=0.0)

    def __attrs_post_init__(self) -> None:
        """Start the clock and earn the call's share of repeats."""
        self._began = self.call.now()
        if self.budget is not None:
            self.budget.earn(self.destination)

    def pause_after(self, error: OrqError, *, delivered: bool) -> float | None:
        """Return the seconds to wait before the next attempt, None if there is to be none."""
        asked = asked_to_wait(error)
        if asked is None:
            pause = self.schedule.pause(len(self._pauses), self.random())
        else:
            pause = max(asked, self.schedule.min_delay)
        reason = "delivered" if delivered else next(self._objections(error, asked, pause), None)
        if reason is None:
            return pause
        self.note(reason)
        return None

    def _objections(self, error: OrqError, asked: float | None, pause: float) -> Iterator[GaveUp]:
        """Look for reasons against a repeat; the last look takes its token."""
        again_at = self.call.now() + pause
        total_at = self.call.limits.total_at
        if not repeatable(error, self.call, self.schedule, routed=self.routed):
            yield "not repeatable"
        if len(self._pauses) + 1 > self.schedule.max_repeats:
            yield "attempts"
        if asked is not None and asked > self.schedule.max_retry_after:
            yield "retry_after"
        if again_at - self._began > self.schedule.max_elapsed:
            yield "elapsed"
        if total_at is not None and again_at >= total_at:
            yield "deadline"
        if self.budget is not None and not self.budget.spend(self.destination):
            yield "budget"

    async def wait(self, pause: float) -> None:
        """Pause before the next attempt."""
        began = self.call.now()
        try:
            await self.call.sleep(pause)
            self._pauses.append(pause)
        finally:
            self._waited += self.call.now() - began
            self.note()

    def note(self, gave_up: GaveUp | None = None) -> None:
        """Write down how it went, unless nothing happened."""
        if self._pauses or gave_up is not None:
            self.call.note(
                "retries",
                repeats=len(self._pauses),
                waited=self._waited,
                pauses=tuple(self._pauses),
                gave_up=gave_up,
            )
