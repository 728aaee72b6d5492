"""One call's way through the cache."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from orq_core import (
    APIConnectionError,
    APITimeoutError,
    InternalServerError,
    OrqError,
    PluginError,
)
from orq_plugins.caching.entry import fitted, whole
from orq_plugins.caching.flight import Flight, Lost

if TYPE_CHECKING:
    from orq_core import Call, Item, Items, Proceed
    from orq_core.models import ChatCompletionRequest
    from orq_plugins.caching.entry import Entry
    from orq_plugins.caching.flights import Flights
    from orq_plugins.caching.policy import CacheOptions
    from orq_plugins.caching.shelf import Shelf

_DOWN = (APIConnectionError, APITimeoutError, InternalServerError)
_SHOWN = 12  # characters of a key that the notes show
_RESTARTS = 8  # times that a call asks anew because another one's deadline took its request


class CacheMissError(PluginError):
    """``only_if_cached`` was asked for, and there is no answer in the cache."""


class Lookup:
    """Looks an answer up, or follows the request that fetches it."""

    def __init__(self, shelf: Shelf, flights: Flights, options: CacheOptions) -> None:
        """Act for one call, by its options."""
        self._shelf = shelf
        self._flights = flights
        self._options = options

    async def around(self, call: Call, request: ChatCompletionRequest, proceed: Proceed) -> Items:
        """Yield the stored answer, or the one that is asked for now."""
        shelf, options = self._shelf, self._options
        key = await shelf.key(call, request, options)
        entry = await shelf.find(call.runtime, key)
        if entry is not None and shelf.is_fresh(entry, options):
            for item in self._served(call, key, entry, "hit"):
                yield item
            return
        if entry is not None and shelf.may_be_refreshed(entry, options):
            if not options.no_store:
                landed = _Landing(self._shelf, self._options, call, key)
                self._flights.refresh(call, key, request, proceed, landed)
            for item in self._served(call, key, entry, "stale"):
                yield item
            return
        if options.only_if_cached:
            _note(call, key, "miss")
            raise CacheMissError("only_if_cached: the answer is not in the cache", plugin="caching")
        delivered = False
        try:
            async for item in self._fetched(call, key, request, proceed):
                yield item
                delivered = True
        except _DOWN as error:
            if delivered or entry is None or not shelf.serves_on_error(entry, options):
                raise
            _note(call, key, "stale", error=type(error).__name__)
        else:
            return
        for item in self._served(call, key, entry, "stale"):
            yield item

    def _served(self, call: Call, key: str, entry: Entry, result: str) -> list[Item]:
        _note(call, key, result, age=self._shelf.age(entry))
        return list(fitted(entry.items, stream=call.stream))

    async def _fetched(
        self, call: Call, key: str, request: ChatCompletionRequest, proceed: Proceed
    ) -> Items:
        landed = _Landing(self._shelf, self._options, call, key)
        for _ in range(_RESTARTS):
            flight, leads = self._flights.board(call, key, request, proceed, landed)
            _note(call, key, "miss" if leads else "coalesced")
            items = _followed(flight, call, leads=leads)
            try:
                async for item in items:
                    yield item
            except Lost:
                continue
            finally:
                await items.aclose()
            return
        raise OrqError("the requests that this call shared were all stopped by other callers")


async def _followed(flight: Flight, call: Call, *, leads: bool) -> Items:
    """Yield a flight's items: as they come for a stream, else as the one completion they make."""
    at = 0
    collected: list[Item] = []
    try:
        while (item := await flight.next(call, at, leads=leads)) is not None:
            at += 1
            if call.stream:
                yield item
            else:
                collected.append(item)
    finally:
        await flight.leave(call)
    if collected:
        yield whole(collected)


class _Landing:
    """Stores what a flight brought, once."""

    def __init__(self, shelf: Shelf, options: CacheOptions, call: Call, key: str) -> None:
        self._shelf = shelf
        self._options = options
        self._call = call
        self._key = key

    async def __call__(self, flight: Flight, keep: bool, /) -> None:
        items = flight.recording.packed() if keep and not self._options.no_store else None
        if items is not None:
            await self._shelf.keep(self._call.runtime, self._key, items, self._options)
        await self._shelf.release(self._call, self._key)


def _note(call: Call, key: str, result: str, **more: Any) -> None:
    call.note("caching", result=result, key=key[:_SHOWN], **more)
