"""Where a missing answer comes from: the router, or another process that is asking it already."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orq_plugins.caching.entry import Entry, readable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orq_core import Call, Detached, Item, Items
    from orq_plugins.caching.guard import GuardedStore
    from orq_plugins.caching.landing import Landing
    from orq_plugins.caching.recording import Recording

_LOOK = (0.02, 0.25)  # seconds between two looks for another's answer: the first pause, the longest


async def fetch(
    call: Call,
    upstream: Detached,
    store: GuardedStore,
    lease: float,
    landing: Landing,
    recording: Recording,
) -> Items:
    """Yield the answer: fetched here if the lease is ours, else what its holder stores.

    A holder who stores nothing within ``lease`` seconds is not waited for any longer.
    """
    try:
        found: Sequence[Item] = ()
        if await store.acquire(call.runtime, landing.key, call.id, lease):
            # Whoever held it before may have stored an answer since this call looked.
            found = _items(await landing.find())
        else:
            found = _items(await _await_other(call, store, lease, landing))
        recording.is_anothers = bool(found)
        for item in found:
            yield item
        if not found:
            async for item in upstream.items:
                yield item
    finally:
        await upstream.close()


def _items(entry: Entry | None) -> Sequence[Item]:
    return () if entry is None else readable(entry.items, stream=True)


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
