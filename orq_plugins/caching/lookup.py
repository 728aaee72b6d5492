"""One call's way through the cache."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from orq_core import (
    APIConnectionError,
    APITimeoutError,
    InternalServerError,
    OrqError,
    PluginError,
    StreamInterruptedError,
)
from orq_plugins.caching.entry import readable, whole
from orq_plugins.caching.landing import Landing
from orq_plugins.caching.sharing import LostError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from orq_core import Call, Item, Items, Proceed
    from orq_core.models import ChatCompletionRequest
    from orq_plugins.caching.entry import Entry
    from orq_plugins.caching.flights import Flights
    from orq_plugins.caching.policy import CacheOptions
    from orq_plugins.caching.shelf import Shelf

    TakesPart = Callable[[Call, ChatCompletionRequest], bool]

_DOWN = (APIConnectionError, APITimeoutError, InternalServerError, StreamInterruptedError)
_SHOWN = 12  # characters of a key that the notes show
_RESTARTS = 8  # times that a call asks anew because another one's deadline took its request


class CacheMissError(PluginError):
    """``only_if_cached`` was asked for, and there is no answer in the cache."""


class Lookup:
    """Looks an answer up, or follows the request that fetches it."""

    def __init__(
        self, shelf: Shelf, flights: Flights, options: CacheOptions, takes_part: TakesPart
    ) -> None:
        """Act for one call, by its options; ``takes_part`` was true of its own request."""
        self._shelf = shelf
        self._flights = flights
        self._options = options
        self._takes_part = takes_part

    def around(self, call: Call, request: ChatCompletionRequest, proceed: Proceed) -> Items:
        """Return what `_answered` yields, if what other layers made of the request takes part."""
        if request is call.request or self._takes_part(call, request):
            return self._answered(call, request, proceed)
        call.note("caching", result="bypass")
        return proceed(request)

    async def _answered(
        self, call: Call, request: ChatCompletionRequest, proceed: Proceed
    ) -> Items:
        """Yield the stored answer, or the one that is asked for now."""
        shelf, options = self._shelf, self._options
        key = await shelf.key(call, request, options)
        landing = Landing(shelf, options, call, request, key)
        entry, stored = await self._stored(call, key)
        if self._serves(call, request, proceed, landing, entry):
            for item in stored:
                yield item
            return
        delivered = False
        try:
            for _ in range(_RESTARTS):
                flight, leads = self._flights.board(call, request, proceed, landing)
                _note(call, key, "miss" if leads else "coalesced")
                # All of them, where they are to be one completion.
                collected: list[Item] = []
                at = 0
                try:
                    while (passed := await flight.next(call, at, leads=leads)) is not None:
                        at += 1
                        if call.stream:
                            yield passed
                            delivered = True
                        else:
                            collected.append(passed)
                except LostError:
                    continue
                finally:
                    await flight.leave(call)
                if collected:
                    yield whole(collected)
                return
            raise OrqError("the requests that this call shared were all stopped by other callers")
        except _DOWN as error:
            if delivered or entry is None or not shelf.serves_on_error(entry, options):
                raise
            _note(call, key, "stale", error=type(error).__name__, age=shelf.age(entry))
        for item in stored:
            yield item

    async def explain(self, call: Call, request: ChatCompletionRequest) -> dict[str, Any]:
        """Tell what `around` would find, without a trace; raises CacheMissError where it would."""
        shelf, options = self._shelf, self._options
        facts: dict[str, Any] = {"stores": not options.no_store, "ttl": shelf.ttl(options)}
        try:
            key = await shelf.known_key(call, request, options)
            entry = None if key is None else await shelf.peek(call.runtime, key)
        except Exception as error:  # noqa: BLE001 - stores raise what they like; as in a call, one that fails is a miss
            return {"result": "miss", "store": f"failed ({type(error).__name__})", **facts}
        if entry is not None and not readable(entry.items, stream=call.stream):
            entry = None
        result = self._use_of(entry)
        if result is None and options.only_if_cached:
            raise CacheMissError("only_if_cached: the answer is not in the cache", plugin="caching")
        told = {"result": result or "miss", "key": "none yet" if key is None else key[:_SHOWN]}
        if entry is not None:
            facts["age"] = round(shelf.age(entry), 3)
            facts["serves_on_error"] = shelf.serves_on_error(entry, options)
        return {**told, "answers": result is not None, **facts}

    def _serves(
        self,
        call: Call,
        request: ChatCompletionRequest,
        proceed: Proceed,
        landing: Landing,
        entry: Entry | None,
    ) -> bool:
        """Tell whether an entry serves before anybody is asked, and note it."""
        result = self._use_of(entry)
        if entry is None or result is None:
            if self._options.only_if_cached:
                _note(call, landing.key, "miss")
                raise CacheMissError(
                    "only_if_cached: the answer is not in the cache", plugin="caching"
                )
            return False
        if result == "stale" and not (self._options.no_store or self._options.only_if_cached):
            self._flights.refresh(call, request, proceed, landing)
        _note(call, landing.key, result, age=self._shelf.age(entry))
        return True

    def _use_of(self, entry: Entry | None) -> str | None:
        """Name what an entry serves as before anybody is asked; None if it doesn't."""
        if entry is None:
            return None
        if self._shelf.is_fresh(entry, self._options):
            return "hit"
        return "stale" if self._shelf.may_be_refreshed(entry, self._options) else None

    async def _stored(self, call: Call, key: str) -> tuple[Entry | None, Sequence[Item]]:
        """Return the entry and its items; none that can't be read."""
        entry = await self._shelf.find(call.runtime, key)
        items = () if entry is None else readable(entry.items, stream=call.stream)
        return (entry, items) if items else (None, ())


def _note(call: Call, key: str, result: str, **more: Any) -> None:
    call.note("caching", result=result, key=key[:_SHOWN], **more)
