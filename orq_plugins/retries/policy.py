"""From a ``retries`` setting to how often, how soon and for how long."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

from attrs import define, evolve

from orq_core import RetryConfig, RetryPolicy

if TYPE_CHECKING:
    from collections.abc import Callable

_STATUSES = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 529})
_SEED_STATUSES = frozenset({429, 500, 502, 503, 504})
_SEED_JITTER = 1.0  # seconds
_MAX_RETRY_AFTER = 60.0


@define(frozen=True)
class Schedule:
    """What a setting comes to. Times are seconds, numbers of repeats count from 0.

    ``statuses`` are those worth a repeat, ``connections`` says whether failures of the connection
    and time-outs are; ``max_elapsed`` counts from the start of the first attempt; ``backoff`` is
    asked for a pause by `pause`, which keeps it above ``min_delay``.
    """

    max_repeats: float
    max_elapsed: float
    max_retry_after: float
    min_delay: float
    statuses: frozenset[int]
    connections: bool
    backoff: Callable[[int, float], float]

    @property
    def longest(self) -> float | None:
        """The longest that all pauses of a call together can be; None without a bound."""
        if self.max_elapsed < inf:
            return self.max_elapsed
        if self.max_repeats == inf:
            return None
        longest, repeats = 0.0, int(self.max_repeats)
        for each in range(repeats):
            pause = max(self.pause(each, 1.0), self.max_retry_after)
            if self.backoff(each, 1.0) == self.backoff(each + 1, 1.0):
                # From here on they are alike, and there may be billions of them.
                return longest + (repeats - each) * pause
            longest += pause
        return longest

    def pause(self, repeat: int, draw: float) -> float:
        """Return how long to wait before a repeat; ``draw`` is a random number from 0 to 1."""
        return max(self.min_delay, self.backoff(repeat, draw))


def schedule(retries: RetryPolicy | RetryConfig | int | None, base: RetryPolicy) -> Schedule | None:
    """Read a setting; None when it allows no repeat. A number is that many repeats of ``base``."""
    if isinstance(retries, RetryConfig):
        return _seed(retries) if retries.strategy == "backoff" else None
    if isinstance(retries, int):
        retries = evolve(base, max_repeats=retries)
    if retries is None or retries.max_repeats < 1:
        return None
    return _policy(retries)


def _policy(policy: RetryPolicy) -> Schedule:
    """Draw with full jitter: evenly from 0 to the capped exponential (M. Brooker, AWS, 2015)."""

    def backoff(repeat: int, draw: float) -> float:
        return draw * _grown(policy.base_delay, 2.0, repeat, policy.max_delay)

    return Schedule(
        max_repeats=policy.max_repeats,
        max_elapsed=inf,
        max_retry_after=policy.max_retry_after,
        min_delay=policy.min_delay,
        statuses=_STATUSES,
        connections=True,
        backoff=backoff,
    )


def _seed(config: RetryConfig) -> Schedule:
    """Keep the seed SDK's: the capped exponential, and jitter of at most a second on top.

    The jitter is at most the pause itself, so that intervals of milliseconds stay short.
    """
    strategy = config.backoff
    first, cap = strategy.initial_interval / 1000, strategy.max_interval / 1000

    def backoff(repeat: int, draw: float) -> float:
        pause = _grown(first, strategy.exponent, repeat, cap)
        return pause + draw * min(_SEED_JITTER, pause)

    return Schedule(
        max_repeats=inf,
        max_elapsed=strategy.max_elapsed_time / 1000,
        max_retry_after=_MAX_RETRY_AFTER,
        min_delay=0.0,
        statuses=_SEED_STATUSES,
        connections=config.retry_connection_errors,
        backoff=backoff,
    )


def _grown(first: float, factor: float, times: int, cap: float) -> float:
    try:
        return min(cap, first * factor**times)
    except OverflowError:
        return cap
