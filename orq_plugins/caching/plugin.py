"""`Caching`: the plugin."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from orq_core import ConfigurationError, hookimpl
from orq_plugins.caching.flights import Flights
from orq_plugins.caching.guard import GuardedStore
from orq_plugins.caching.lookup import Lookup
from orq_plugins.caching.policy import CacheOptions, Decide, Freshness, Policy, decider
from orq_plugins.caching.shelf import Shelf
from orq_plugins.caching.stores import MemoryStore, Store

if TYPE_CHECKING:
    from collections.abc import Callable

    from orq_core import AsyncOrq, Call, Layer, Orq
    from orq_core.models import ChatCompletionRequest


class Caching:
    """Answers a request that was answered before, and asks once for all who ask the same.

    ``store``: where answers are kept, default a `MemoryStore` of its own. ``policy``: which calls
    take part: "deterministic" (temperature 0 or a seed, one choice), "all", "explicit" (those with
    ``plugin_options={"caching": {…}}``), or a function of the request. ``ttl``,
    ``stale_while_revalidate``, ``stale_if_error``: seconds, see `Freshness`. ``max_entry_bytes``:
    larger answers are passed on and not kept. ``namespace``: answers are shared within it; by
    default only among calls with the same key. ``secret``: keys the digests that requests are
    stored under; default one that the store itself keeps. ``store_timeout``: seconds a store may
    take under asyncio. ``lease``: seconds for which other processes that share the store wait for
    the one that asks. ``clock``: seconds since 1970.

    Per call, see `CacheOptions`. Only answers that ended well are kept. A store that fails is a
    miss.

    Raises ConfigurationError for an argument that can't be used.
    """

    name = "caching"

    def __init__(
        self,
        *,
        store: Store | None = None,
        policy: Policy | Decide = "deterministic",
        ttl: float = 3600.0,
        stale_while_revalidate: float = 0.0,
        stale_if_error: float = 0.0,
        max_entry_bytes: int = 2**20,
        namespace: str | None = None,
        secret: bytes | None = None,
        store_timeout: float = 0.5,
        lease: float = 30.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Check the arguments; nothing is opened before the first call."""
        if secret is not None and not isinstance(secret, bytes):  # pyright: ignore[reportUnnecessaryIsInstance] - callers without a type checker pass other things, which are named in the error
            raise ConfigurationError("secret: expected bytes")
        freshness = Freshness(
            ttl=ttl,
            stale_while_revalidate=stale_while_revalidate,
            stale_if_error=stale_if_error,
        )
        self._decide = decider(policy)
        self._policy = policy if isinstance(policy, str) else "a function"
        self.store = GuardedStore(MemoryStore() if store is None else store, store_timeout)
        self._shelf = Shelf(self.store, freshness, clock, secret, namespace)
        self._flights = Flights(self.store, max_entry_bytes, lease)

    @hookimpl
    def orq_wrap_create(self, call: Call) -> Layer | None:
        """Take part in the calls that the policy names."""
        lookup = self._lookup(call)
        if lookup is None:
            call.note(self.name, result="bypass")
            return None
        return lookup.around

    @hookimpl
    async def orq_explain(self, call: Call, request: ChatCompletionRequest) -> dict[str, Any]:
        """Tell the key, and whether the answer is there; nothing is stored or touched."""
        lookup = self._lookup(call)
        if lookup is None or not self._takes_part(call, request):
            return {"result": "bypass", "policy": self._policy}
        return {**await lookup.explain(call, request), "policy": self._policy}

    def _lookup(self, call: Call) -> Lookup | None:
        options = CacheOptions.of(call.options_for(self.name))
        if options.bypass or not self._takes_part(call, call.request):
            return None
        return Lookup(self._shelf, self._flights, options, self._takes_part)

    def _takes_part(self, call: Call, request: ChatCompletionRequest) -> bool:
        if self._decide is None:
            return self.name in call.options.plugin_options
        return self._decide(request)

    @hookimpl
    async def orq_client_closed(self, client: Orq | AsyncOrq) -> None:
        """Release what the store holds open; it opens again when it is asked again."""
        await self._flights.settle(client.runtime)
        await self.store.close(client.runtime)
