"""Where limits are counted: the protocol, and this process's memory."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Protocol

from attrs import define, field

from orq_plugins._lock import Lock
from orq_plugins.rate_limit.window import Window

if TYPE_CHECKING:
    from orq_core import Runtime

_SCOPES = 1024  # scopes remembered; then those at rest are forgotten


@define(frozen=True)
class Rates:
    """Limits of one scope: requests and tokens in any minute, and calls at once; None is none."""

    requests: int | None = None
    tokens: int | None = None
    concurrency: int | None = None


@define(frozen=True)
class Want:
    """What a call asks for: ``tokens``, and a place named ``owner``.

    ``lease``: seconds after which its place is free again, should its process have died.
    """

    scope: str
    owner: str
    tokens: int
    lease: float


@define(frozen=True)
class Verdict:
    """What a store says: granted in this ``slot``, or try again after ``wait`` seconds.

    Both None: too many calls are in flight, and nobody knows how long they take.
    """

    slot: int | None = None
    wait: float | None = None


class LimitStore(Protocol):
    """Counts, for some scopes; every method is a coroutine that gets the call's runtime.

    Only a shared one may suspend.
    """

    @property
    def is_shared(self) -> bool:
        """Whether others may change what it counts, and whether it does I/O."""
        ...

    async def take(self, runtime: Runtime, rates: Rates, want: Want) -> Verdict:
        """Count a call as begun, or take nothing and say how long to wait."""
        ...

    async def settle(
        self, runtime: Runtime, want: Want, slot: int, requests: int, tokens: int
    ) -> None:
        """End a call: free its place, and add what it took more than it asked for, or less."""
        ...

    async def drop(self, runtime: Runtime, want: Want) -> None:
        """Free the place of a call that was interrupted while it asked."""
        ...

    async def pause(self, runtime: Runtime, scope: str, seconds: float) -> None:
        """Grant nothing in a scope for so long."""
        ...

    async def close(self, runtime: Runtime) -> None:
        """Release what is open; it may be asked again."""
        ...


@define
class _Counts:
    requests: Window = field(factory=Window)
    tokens: Window = field(factory=Window)
    owners: set[str] = field(factory=set[str])
    paused_until: float = 0.0

    def rests(self, now: float) -> bool:
        """Tell whether nothing would be lost with it."""
        if self.owners or self.paused_until > now:
            return False
        return self.requests.is_empty(now) and self.tokens.is_empty(now)


class MemoryLimits:
    """Counts in this process, for its threads and tasks."""

    is_shared = False

    def __init__(self) -> None:
        """Begin with nothing counted."""
        self._lock = Lock()
        self._scopes: dict[str, _Counts] = {}
        self._pid = os.getpid()

    async def take(self, runtime: Runtime, rates: Rates, want: Want) -> Verdict:
        """See `LimitStore`."""
        now = runtime.now()
        with self._lock:
            if self._pid != os.getpid():
                self._free_all()
            counts = self._of(want.scope, now)
            if rates.concurrency is not None and len(counts.owners) >= rates.concurrency:
                return Verdict()
            wait = max(
                counts.paused_until - now,
                0.0 if rates.requests is None else counts.requests.wait(now, 1, rates.requests),
                0.0 if rates.tokens is None else counts.tokens.wait(now, want.tokens, rates.tokens),
            )
            if wait > 0:
                return Verdict(wait=wait)
            counts.owners.add(want.owner)
            slot = counts.requests.add(now, 1)
            counts.tokens.add(now, want.tokens)
            return Verdict(slot=slot)

    async def settle(
        self, runtime: Runtime, want: Want, slot: int, requests: int, tokens: int
    ) -> None:
        """See `LimitStore`."""
        del runtime
        with self._lock:
            counts = self._scopes.get(want.scope)
            if counts is not None:
                counts.owners.discard(want.owner)
                counts.requests.correct(slot, requests)
                counts.tokens.correct(slot, tokens)

    async def drop(self, runtime: Runtime, want: Want) -> None:
        """See `LimitStore`; nothing can come between here."""

    async def pause(self, runtime: Runtime, scope: str, seconds: float) -> None:
        """See `LimitStore`."""
        now = runtime.now()
        with self._lock:
            counts = self._of(scope, now)
            counts.paused_until = max(counts.paused_until, now + seconds)

    async def close(self, runtime: Runtime) -> None:
        """Do nothing: other clients may share the limits."""

    def _free_all(self) -> None:
        # Those who have places are calls of the parent, which end there and nowhere else.
        for counts in self._scopes.values():
            counts.owners.clear()
        self._pid = os.getpid()

    def _of(self, scope: str, now: float) -> _Counts:
        counts = self._scopes.get(scope)
        if counts is None:
            if len(self._scopes) >= _SCOPES:
                for name, each in tuple(self._scopes.items()):
                    if each.rests(now):
                        del self._scopes[name]
            counts = self._scopes[scope] = _Counts()
        return counts
