"""The plugin: a loop around the layers inside, which ends with the first content."""

from __future__ import annotations

from math import inf
from random import random as _random
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from weakref import WeakKeyDictionary

from orq_core import ConfigurationError, OrqError, RetryPolicy, hookimpl
from orq_core.models.base import UNSET
from orq_core.retry import retries_checked
from orq_plugins.retries.budget import Budget
from orq_plugins.retries.content import binds
from orq_plugins.retries.course import Course
from orq_plugins.retries.policy import Schedule, schedule
from orq_plugins.retries.verdict import is_routed

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from orq_core import RetryConfig
    from orq_core.call import Call, Item, Items, Layer, Proceed
    from orq_core.models import ChatCompletionRequest
    from orq_core.transports import HttpRequest

_KEY = "Idempotency-Key"
_HELD = 256  # chunks without content; a server that sends more of them gets no repeat


class Retries:
    """Repeats a call that failed before any of its answer was passed on.

    ``policy`` holds for calls whose ``retries`` is not set: a `RetryPolicy`, the seed SDK's
    `RetryConfig`, a number of repeats, or None. ``budget`` is the number of repeats that one
    model of one server can get at once, ``budget_refill`` what each call adds to it; None lifts
    it. ``random`` returns numbers from 0 to 1. The clock and the pauses are the call's.

    Notes ``repeats``, ``waited`` (seconds), ``pauses`` (seconds each) and ``gave_up`` (why not
    again, None after a success) in ``info.notes["retries"]`` of calls in which something failed.

    Raises ConfigurationError for an argument that can't be used.
    """

    name = "retries"

    def __init__(
        self,
        *,
        policy: RetryPolicy | RetryConfig | int | None = RetryPolicy(),
        budget: float | None = 10.0,
        budget_refill: float = 0.1,
        random: Callable[[], float] = _random,
    ) -> None:
        """Check the arguments."""
        checked = retries_checked(policy)
        self._base = checked if isinstance(checked, RetryPolicy) else RetryPolicy()
        self._default = schedule(checked, self._base)
        self._budget = None
        if budget is not None:
            capacity = _positive("budget", budget)
            self._budget = Budget(capacity, _positive("budget_refill", budget_refill))
        self._random = random
        # Of calls that were begun anew by a plugin outside of this one, how often.
        self._anew: WeakKeyDictionary[Call, int] = WeakKeyDictionary()

    @hookimpl(trylast=True)
    def orq_wrap_create(self, call: Call) -> Layer | None:
        """Return the loop, or None when this call is not to be repeated."""
        return None if self._schedule(call) is None else self.around

    @hookimpl
    def orq_prepare_request(self, call: Call, http: HttpRequest) -> None:
        """Name what is asked, so that a server can tell a repeat from a second request."""
        given = {name.lower() for name in http.headers}
        if _KEY.lower() not in given and self._schedule(call) is not None:
            anew = self._anew.get(call)
            http.headers[_KEY] = call.id if anew is None else f"{call.id}-{anew}"

    @hookimpl
    def orq_explain(self, call: Call, request: ChatCompletionRequest) -> dict[str, Any]:
        """Tell how often and for how long a call may be repeated."""
        timing = self._schedule(call)
        if timing is None:
            return {"repeats": 0}
        bounded = timing.max_repeats < inf
        given = {name.lower() for name in call.options.http_headers}
        facts = {} if timing.max_elapsed == inf else {"elapsed": timing.max_elapsed}
        return {
            "repeats": int(timing.max_repeats) if bounded else None,
            "attempts": 1 + int(timing.max_repeats) if bounded else None,
            "pauses": timing.longest,
            **facts,
            "statuses": sorted(timing.statuses),
            "only_what_the_router_asks_for": is_routed(request),
            "headers": [] if _KEY.lower() in given else [_KEY],
        }

    async def around(self, call: Call, request: ChatCompletionRequest, proceed: Proceed) -> Items:
        """Yield the items of the first attempt that has content, or of the last one."""
        course = self._course(call, request)
        while True:
            held: list[Item] | None = []
            items = proceed(request)
            try:
                async for item in items:
                    if held is not None:
                        held.append(item)
                        if len(held) <= _HELD and not binds(item):
                            continue
                        ready, held = held, None
                        for each in ready:
                            yield each
                    else:
                        yield item
                ready, held = held or [], None
                for each in ready:
                    yield each
            except OrqError as error:
                pause = course.pause_after(error, delivered=held is None)
                if pause is None:
                    for each in held or ():
                        yield each
                    raise
            else:
                course.note()
                return
            finally:
                await items.aclose()
            await course.wait(pause)

    def _course(self, call: Call, request: ChatCompletionRequest) -> Course:
        timing = self._schedule(call)
        assert timing is not None  # noqa: S101 - tells type checkers: this layer is only part of calls for which there is a schedule
        if call.info.attempts_begun:
            # Another model, or another question: under one key it would get the first one's answer.
            self._anew[call] = self._anew.get(call, 1) + 1
        return Course(
            call,
            timing,
            self._random,
            routed=is_routed(request),
            budget=self._budget,
            destination=_destination(call, request),
        )

    def _schedule(self, call: Call) -> Schedule | None:
        retries = call.options.retries
        return self._default if retries is UNSET else schedule(retries, self._base)


def _destination(call: Call, request: ChatCompletionRequest) -> Hashable:
    url = urlsplit(call.url)
    model: Any = request.extra.get("model", request.model)
    return url.scheme, url.netloc, str(model)


def _positive(name: str, value: object) -> float:
    if isinstance(value, (int, float)) and not isinstance(value, bool) and value >= 0:
        return value
    raise ConfigurationError(f"Retries: {name}: expected a number that is not negative")
