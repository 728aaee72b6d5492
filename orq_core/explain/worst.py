"""How many requests a call may cost, and how long it may take, across the client and the router."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attrs import define

from orq_core._json import is_list, is_object

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from orq_core.limits import Timeout

# The router's documentation: `retry` without a count, and its pauses of 1, 2, 4 … s, 25 % more or
# less.
_COUNT = 3
_MOST = 100  # more than the router accepts
_JITTER = 1.25


@define(frozen=True)
class RouterPolicy:
    """What the request asks of the router: repeats and fallbacks; ``call_timeout`` in seconds.

    ``attempts``: how often it asks a model at most; ``seconds``: how long that takes at most, None
    where the request sets no limit.
    """

    retries: int = 0
    fallbacks: int = 0
    call_timeout: float | None = None

    @property
    def attempts(self) -> int:
        """Each model once, and again for each repeat."""
        return (1 + self.retries) * (1 + self.fallbacks)

    @property
    def seconds(self) -> float | None:
        """All attempts, each up to its limit, with the longest pauses between repeats."""
        if self.call_timeout is None:
            return None
        pauses = _JITTER * (2.0**self.retries - 1)
        return self.attempts * self.call_timeout + (1 + self.fallbacks) * pauses


@define(frozen=True)
class Loop:
    """A layer that asks what is within it several times, with pauses between; None: no bound.

    After ``elapsed`` seconds it asks no more.
    """

    attempts: int | None = 1
    pauses: float | None = 0.0
    elapsed: float | None = None


@define(frozen=True)
class WorstCase:
    """Upper bounds; None where there is none. Times are seconds.

    ``attempts``: HTTP requests of this client; ``router_attempts``: what the router makes of each
    of them; ``model_requests``: both together. ``attempt_seconds``: until an attempt has its first
    event or has timed out; ``pauses``: between attempts; ``first_event_seconds``: until the first
    event, or the whole answer; ``total_seconds``: until the call is over, a stream included.
    ``cut_short``: the limit ``timeout.total`` ends it before all attempts could time out.
    """

    attempts: int | None
    router_attempts: int
    model_requests: int | None
    attempt_seconds: float | None
    pauses: float | None
    first_event_seconds: float | None
    total_seconds: float | None
    cut_short: bool


def router_policy(body: Mapping[str, Any]) -> RouterPolicy:
    """Read a request's ``retry``, ``fallbacks`` and ``timeout``, also where older routers do."""
    older = body.get("orq")
    places = [body, *([older] if is_object(older) else [])]
    retries, fallbacks, limit = 0, 0, None
    for place in places:
        retry, models, timeout = (place.get(name) for name in ("retry", "fallbacks", "timeout"))
        if is_object(retry):
            retries = max(retries, int(min(_number(retry.get("count"), _COUNT), _MOST)))
        if is_list(models):
            fallbacks = max(fallbacks, len(models))
        if is_object(timeout) and limit is None:
            milliseconds = _number(timeout.get("call_timeout"), 0)
            limit = milliseconds / 1000 if milliseconds > 0 else None
    return RouterPolicy(retries, fallbacks, limit)


def worst_case(
    timeout: Timeout, loops: Iterable[Loop], router: RouterPolicy, *, stream: bool
) -> WorstCase:
    """Multiply it out; ``loops`` stand from the outside in."""
    once = _sum(timeout.connect, timeout.first_event)
    attempts: int | None = 1
    pauses: float | None = 0.0
    unbounded = once
    for loop in reversed(list(loops)):
        pauses = _sum(_product(loop.attempts, pauses), loop.pauses)
        attempts = None if attempts is None or loop.attempts is None else attempts * loop.attempts
        looped = _sum(_product(loop.attempts, unbounded), loop.pauses)
        unbounded = _least(looped, _sum(loop.elapsed, unbounded))
    first = _least(unbounded, timeout.total)
    return WorstCase(
        attempts=attempts,
        router_attempts=router.attempts,
        model_requests=None if attempts is None else attempts * router.attempts,
        attempt_seconds=_least(once, timeout.total),
        pauses=_least(pauses, timeout.total),
        first_event_seconds=first,
        total_seconds=timeout.total if stream else first,
        cut_short=timeout.total is not None and (unbounded is None or unbounded > timeout.total),
    )


def warnings_of(timeout: Timeout, router: RouterPolicy, worst: WorstCase) -> list[str]:
    """Say what doesn't fit together."""
    warnings: list[str] = []
    limit = timeout.first_event
    if router.seconds is not None and limit is not None and router.seconds > limit:
        warnings.append(
            f"the router may take {router.seconds:g} s for an answer, and this client waits "
            f"{limit:g} s (timeout.first_event)",
        )
    if worst.cut_short and worst.attempts != 1:
        warnings.append(
            f"timeout.total ({timeout.total:g} s) ends the call before all attempts can time out",
        )
    if worst.attempts != 1 and router.attempts > 1:
        warnings.append("the client and the router both repeat")
    return warnings


def _number(value: object, otherwise: float) -> float:
    if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < 2**53:
        return value
    return otherwise


def _sum(*values: float | None) -> float | None:
    return None if None in values else sum(value for value in values if value is not None)


def _product(times: int | None, seconds: float | None) -> float | None:
    if seconds == 0:
        return 0.0
    return None if times is None or seconds is None else times * seconds


def _least(*values: float | None) -> float | None:
    return min((value for value in values if value is not None), default=None)
