"""Where a missing answer comes from: the router, or another process that is asking it already."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orq_plugins.caching.entry import Entry, unpack

if TYPE_CHECKING:
    from orq_core import Call, Detached, Items
    from orq_plugins.caching.guard import GuardedStore

_LOOK = (0.02, 0.25)  # seconds between two looks for another's answer: the first pause, the longest


async def fetch(
    call: Call, upstream: Detached, store: GuardedStore, key: str, lease: float
) -> Items:
    """Yield the answer: fetched here if the lease is ours, else what its holder stores.

    A holder who stores nothing within ``lease`` seconds is not waited for any longer.
    """
    try:
        if not await store.acquire(call.runtime, key, call.id, lease):
            found = await _await_other(call, store, key, lease)
            if found is not None:
                for packed in found.items:
                    yield unpack(packed)
                return
        async for item in upstream.items:
            yield item
    finally:
        await upstream.close()


async def _await_other(call: Call, store: GuardedStore, key: str, lease: float) -> Entry | None:
    until = call.now() + lease
    pause, longest = _LOOK
    while call.now() < until:
        call.limits.remaining()
        await call.sleep(min(pause, until - call.now()))
        pause = min(pause * 2, longest)
        data = await store.get(call.runtime, key)
        entry = None if data is None else Entry.load(data)
        if entry is not None:
            return entry
        if await store.acquire(call.runtime, key, call.id, lease):
            return None
    return None
