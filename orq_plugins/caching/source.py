"""Where a missing answer comes from: the router, or another process that is asking it already."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import define

from orq_plugins.caching.entry import Entry, readable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orq_core import Call, Detached, Item, Items
    from orq_plugins.caching.guard import GuardedStore
    from orq_plugins.caching.landing import Landing
    from orq_plugins.caching.recording import Recording

_LOOK = (0.02, 0.25)  # seconds between two looks for another's answer: the first pause, the longest


@define(eq=False)
class Source:
    """The items of an answer: fetched here if the lease is ours, else what its holder stores.

    A holder who stores nothing within ``lease`` seconds is not waited for any longer.
    """

    _call: Call
    _upstream: Detached
    _store: GuardedStore
    _lease: float
    _landing: Landing

    async def open(self, recording: Recording) -> Items:
        """Return the items; tells the recording and the call if they are another's."""
        call, landing = self._call, self._landing
        if await self._store.acquire(call.runtime, landing.key, call.id, self._lease):
            # Whoever held it before may have stored an answer since this call looked.
            entry = await landing.find()
        else:
            entry = await _await_other(call, self._store, self._lease, landing)
        found = () if entry is None else readable(entry.items, stream=True)
        if not found:
            return self._upstream.items
        recording.is_anothers = True
        call.note("caching", result="coalesced")
        return _each(found)

    async def close(self) -> None:
        """End the request, if one was made."""
        await self._upstream.close()


async def _each(items: Sequence[Item]) -> Items:
    for item in items:
        yield item


async def _await_other(
    call: Call, store: GuardedStore, lease: float, landing: Landing
) -> Entry | None:
    until = call.now() + lease
    pause, longest = _LOOK
    while call.now() < until:
        call.limits.remaining()
        await call.sleep(min(pause, until - call.now()))
        pause = min(pause * 2, longest)
        entry = await landing.find()
        if entry is not None:
            return entry
        if await store.acquire(call.runtime, landing.key, call.id, lease):
            return await landing.find()
    return None
