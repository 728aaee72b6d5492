"""How long a call may take: the four time-outs, and the clock that holds a call to them."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Literal

from attrs import Attribute, define, field

from orq_core.errors import APITimeoutError, ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable

# Systems count the milliseconds of a wait in 31 bits.
_LONGEST = 2_000_000
Phase = Literal["connect", "first_event", "idle", "total"]


def _seconds(instance: object, attribute: Attribute[Any], value: object) -> None:
    del instance
    if value is None:
        return
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not value > 0:
        raise ConfigurationError(
            f"timeout: {attribute.name}: expected a positive number of seconds or None",
        )
    if value > _LONGEST:
        raise ConfigurationError(
            f"timeout: {attribute.name}: expected at most {_LONGEST} seconds; None lifts the limit",
        )


@define(frozen=True)
class Timeout:
    """Limits in seconds, at most 2,000,000 (23 days); ``None`` lifts one.

    ``connect``: until a connection (with TLS) stands, the wait for a free one included.
    ``first_event``: from the request's last byte to the first event, or to the whole JSON answer.
    ``idle``: waiting for another event of a stream; comments do not count as events, and what the
    caller does between two events is not counted.
    ``total``: the whole call on the wall clock: retries, their pauses and the stream included.

    Raises ConfigurationError for a value that is none of these.
    """

    connect: float | None = field(default=10.0, validator=_seconds)
    first_event: float | None = field(default=120.0, validator=_seconds)
    idle: float | None = field(default=60.0, validator=_seconds)
    total: float | None = field(default=600.0, validator=_seconds)

    @classmethod
    def of(cls, value: object) -> Timeout:
        """Read what callers write: a ``Timeout``, seconds for all four, or None for the default.

        Raises ConfigurationError for anything else.
        """
        if value is None:
            return cls()
        if isinstance(value, Timeout):
            return value
        if isinstance(value, float) or (isinstance(value, int) and not isinstance(value, bool)):
            return cls(value, value, value, value)
        raise ConfigurationError(
            "timeout: expected a positive number of seconds or a Timeout, "
            f"got {type(value).__name__}; write timeout=30 or timeout=Timeout(total=30)",
        )


@define
class Limits:
    """The limits of one attempt, as points on a monotonic clock.

    ``total_at`` is shared by all attempts of a call; the phase limit moves with the attempt.
    Transports ask `remaining` before every wait that they start.
    """

    timeout: Timeout
    total_at: float | None
    clock: Callable[[], float] = time.monotonic
    phase: Phase = "connect"
    phase_at: float | None = None

    @classmethod
    def start(cls, timeout: Timeout, clock: Callable[[], float] = time.monotonic) -> Limits:
        """Begin a call now."""
        total_at = None if timeout.total is None else clock() + timeout.total
        return cls(timeout, total_at, clock)

    def attempt(self) -> Limits:
        """Return the limits of a new attempt, which share the call's total."""
        again = Limits(self.timeout, self.total_at, self.clock)
        again.enter("connect")
        return again

    def enter(self, phase: Phase) -> None:
        """Begin a phase; ``idle`` anew whenever another event is asked for."""
        seconds: float | None = getattr(self.timeout, phase)
        self.phase = phase
        if seconds is not None:
            self.phase_at = self.clock() + seconds
        else:
            self.phase_at = None

    @property
    def next_at(self) -> float | None:
        """The clock's reading at which the nearest limit is reached, or None without limits."""
        if self.phase_at is None:
            return self.total_at
        if self.total_at is None:
            return self.phase_at
        return min(self.phase_at, self.total_at)

    def remaining(self) -> float | None:
        """Return the seconds to the nearest limit, None without limits.

        Raises APITimeoutError when one has been reached.
        """
        nearest, total_at = self.phase_at, self.total_at
        if nearest is None or (total_at is not None and total_at < nearest):
            nearest = total_at
        if nearest is None:
            return None
        left = nearest - self.clock()
        if left <= 0:
            raise self.error()
        return left

    def error(self) -> APITimeoutError:
        """Make the error for the limit that was reached first."""
        kind: Phase = self.phase
        if self.phase_at is None or (self.total_at is not None and self.total_at <= self.phase_at):
            kind = "total"
        seconds: float | None = getattr(self.timeout, kind)
        return APITimeoutError(
            f"{_REACHED[kind]} within {seconds:g} s (timeout.{kind})",
            kind=kind,
            seconds=seconds,
        )


_REACHED = {
    "connect": "no connection was made",
    "first_event": "the first event did not arrive",
    "idle": "no further event arrived",
    "total": "the call was not over",
}
