"""How a call gets through: it stands in line, waits for what the store and the server allow."""

from __future__ import annotations

import uuid
from collections import OrderedDict
from typing import TYPE_CHECKING

from attrs import define

from orq_plugins._lock import Lock
from orq_plugins.rate_limit.errors import RateLimitWaitError
from orq_plugins.rate_limit.headers import LONGEST, Hearing
from orq_plugins.rate_limit.queue import Place, Queue
from orq_plugins.rate_limit.stores import Verdict, Want

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orq_core import Call
    from orq_plugins._metering import Guard
    from orq_plugins.rate_limit.stores import LimitStore, Rates

_LOOK = 0.25  # seconds between two looks at what other plugins and processes, too, can change
_LEASE = 3600.0  # seconds that a call without a limit of its own is taken to last
_LEAST = 0.001  # seconds
_GRACE = 30.0  # seconds that a call may take to end after its deadline
_SCOPES = 1024  # scopes whose servers' words are remembered: those used last


@define(frozen=True)
class Ticket:
    """A call that got through. ``slot`` is None if the store could not be asked.

    ``hearing`` is the one that gave the ``mark``: a scope that was forgotten has another since.
    """

    want: Want
    slot: int | None
    hearing: Hearing
    mark: tuple[int, int]
    waited: float


class Turnstile:
    """Lets calls through one after the other; safe for threads, tasks and several loops."""

    def __init__(self, store: LimitStore, guard: Guard, rates: Rates) -> None:
        """Ask ``store`` through ``guard`` about ``rates``."""
        self._store = store
        self._guard = guard
        self._rates = rates
        self._queue = Queue()
        self._lock = Lock()
        self._hearings: OrderedDict[str, Hearing] = OrderedDict()

    async def enter(self, call: Call, name: str, key: str, tokens: int, max_wait: float) -> Ticket:
        """Wait for this call's turn in the scope ``name``, which the store knows as ``key``.

        Raises RateLimitWaitError as soon as it is known that the wait would be longer than
        ``max_wait`` or the call's own limit.
        """
        began = call.now()
        total_at = call.limits.total_at
        until = began + max_wait if total_at is None else min(total_at, began + max_wait)
        lease = _LEASE if total_at is None else max(0.0, total_at - began) + _GRACE
        want = Want(key, uuid.uuid4().hex, tokens, lease)
        place = Place(call)
        self._queue.join(key, place)
        try:
            while True:
                first = self._queue.first(key)
                wait: float | None = None
                if first is place:
                    verdict = await self._verdict(call, want)
                    if verdict is None or verdict.slot is not None:
                        return self._let_through(call, want, verdict, began)
                    wait, place.is_told = verdict.wait, True
                    place.after = None if wait is None else call.now() + wait
                elif first is not None and first.after is not None:
                    wait = first.after - call.now()
                left = until - call.now()
                if first is not None and first is not place and not first.is_told:
                    # It is the store's answer to another that this one waits for, not the limit.
                    left = _LOOK if total_at is None else min(_LOOK, total_at - call.now())
                if left <= 0 or (wait is not None and wait > left):
                    raise _too_long(call, name, wait, until - began)
                await place.wait(
                    call, self._pause(wait, left, first is place), first=first is place
                )
        finally:
            self._queue.leave(key, place)

    @staticmethod
    def _pause(wait: float | None, left: float, is_first: bool) -> float:
        if not is_first:
            return left
        left = min(left, _LOOK)
        # Not so short that rounding errors could keep it from ever being over.
        return left if wait is None else max(_LEAST, min(wait, left))

    async def _verdict(self, call: Call, want: Want) -> Verdict | None:
        """Ask the store; None when it failed and calls go on all the same."""
        with self._lock:
            told = self._hearing(want.scope).wait(call.now(), want.tokens)
        if told > 0:
            return Verdict(wait=told)

        is_sent = True

        async def late(verdict: Verdict) -> None:
            if verdict.slot is not None and is_sent:
                await self._drop(call, want)
            elif verdict.slot is not None:
                args = (want, verdict.slot, -1, -want.tokens)
                await self._guard.tell(call.runtime, self._store.settle, *args)

        is_asked = not self._guard.rests(call.runtime)
        try:
            return await self._guard.ask(
                call.runtime, self._store.take, self._rates, want, late=late
            )
        except BaseException:
            is_sent = False
            if is_asked:
                await self._drop(call, want)
            raise

    async def _drop(self, call: Call, want: Want) -> None:
        """Free a place that may have been granted by a store that did not come to say so."""
        if self._rates.concurrency is not None:
            await self._guard.tell(call.runtime, self._store.drop, want)

    def _let_through(self, call: Call, want: Want, verdict: Verdict | None, began: float) -> Ticket:
        with self._lock:
            hearing = self._hearing(want.scope)
            mark = hearing.send(want.tokens)
        slot = None if verdict is None else verdict.slot
        return Ticket(want, slot, hearing, mark, call.now() - began)

    def hear(self, call: Call, ticket: Ticket, headers: Mapping[str, str]) -> None:
        """Learn from the headers of an answer."""
        with self._lock:
            ticket.hearing.hear(call.now(), headers, ticket.mark)

    async def pause(self, call: Call, ticket: Ticket, seconds: float) -> None:
        """Have everybody in the scope wait, since the server asked for it."""
        scope, seconds = ticket.want.scope, min(seconds, LONGEST)
        await self._guard.tell(call.runtime, self._store.pause, scope, seconds)

    async def leave(self, call: Call, ticket: Ticket, *, requests: int, tokens: int) -> None:
        """End a call that got through; ``requests`` and ``tokens`` correct what it asked for."""
        if requests < 0:
            with self._lock:
                ticket.hearing.lose(ticket.want.tokens, ticket.mark)
        try:
            if ticket.slot is None:
                await self._drop(call, ticket.want)
            else:
                args = (ticket.want, ticket.slot, requests, tokens)
                await self._guard.tell(call.runtime, self._store.settle, *args)
        finally:
            self._queue.wake(ticket.want.scope)

    def look(self) -> None:
        """Have all who wait look whether their client was closed."""
        self._queue.wake_all()

    def waiting(self, key: str) -> int:
        """Return how many wait in a scope."""
        return self._queue.length(key)

    def _hearing(self, scope: str) -> Hearing:
        hearing = self._hearings.get(scope)
        if hearing is None:
            hearing = self._hearings[scope] = Hearing()
            if len(self._hearings) > _SCOPES:
                self._hearings.popitem(last=False)
        self._hearings.move_to_end(scope)
        return hearing


def _too_long(call: Call, scope: str, wait: float | None, most: float) -> RateLimitWaitError:
    what = "this repeat was not sent" if call.info.attempts else "nothing was sent"
    after = "" if wait is None else f"; it may let one through in {wait:.1f} s"
    return RateLimitWaitError(
        f"the rate limit of scope {scope!r} lets no call through within {max(0.0, most):.1f} s, "
        f"so {what}{after}",
        retry_after=wait,
        scope=scope,
        attempts=call.info.attempts,
    )
