"""What becomes of an answer that was fetched."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from orq_core import Call
    from orq_core.models import ChatCompletionRequest
    from orq_plugins.caching.entry import Entry
    from orq_plugins.caching.flight import Flight
    from orq_plugins.caching.policy import CacheOptions
    from orq_plugins.caching.shelf import Shelf


class Landing:
    """Stores what a flight brought, as the call that started it wants it."""

    def __init__(
        self,
        shelf: Shelf,
        options: CacheOptions,
        call: Call,
        request: ChatCompletionRequest,
        key: str,
    ) -> None:
        """Act for one call."""
        self.key = key
        self._shelf = shelf
        self._options = options
        self._call = call
        self.ttl = shelf.ttl(options)
        # What `extra_body` says replaces the field of the same name.
        asked = request.extra.get("n", request.n)
        choices = asked if isinstance(asked, int) else 1
        # None for an answer that is not wanted kept.
        self.choices = None if options.no_store else choices

    async def find(self) -> Entry | None:
        """Return an answer that was stored meanwhile, if it serves this call."""
        entry = await self._shelf.find(self._call.runtime, self.key)
        if entry is None or not self._shelf.is_fresh(entry, self._options):
            return None
        return entry

    async def __call__(self, flight: Flight, keep: bool, /) -> None:
        """Store the answer if it may be kept, and give back the lease."""
        items = flight.recording.packed() if keep else None
        # Who was slow to read it must not put it in the place of a newer one.
        newer = None if items is None or flight.age < self.ttl else await self.find()
        if items is not None and newer is None:
            await self._shelf.keep(
                self._call.runtime, self.key, items, self._options, int(flight.age)
            )
        await self._shelf.release(self._call, self.key)
