"""A store as the cache sees it: entries by request, fresh, stale or gone."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from orq_plugins.caching.entry import Entry
from orq_plugins.caching.key import key_of
from orq_plugins.caching.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Callable

    from orq_core import Call, Runtime
    from orq_core.models import ChatCompletionRequest
    from orq_plugins.caching.guard import GuardedStore
    from orq_plugins.caching.policy import CacheOptions, Freshness


class Shelf:
    """Finds and keeps the entries of one cache."""

    def __init__(
        self,
        store: GuardedStore,
        freshness: Freshness,
        clock: Callable[[], float],
        secret: bytes | None,
        namespace: str | None,
    ) -> None:
        """Keep entries in the store; ``clock`` gives seconds since 1970."""
        self._store = store
        self._freshness = freshness
        self._clock = clock
        self._secret = Secret(store, secret)
        self._namespace = namespace

    async def key(self, call: Call, request: ChatCompletionRequest, options: CacheOptions) -> str:
        """Return the key of a request's answer."""
        return self._key(await self._secret.of(call), call, request, options)

    async def known_key(
        self, call: Call, request: ChatCompletionRequest, options: CacheOptions
    ) -> str | None:
        """Return the key without making a secret for it; None when there is no secret yet."""
        secret = await self._secret.known(call.runtime)
        return None if secret is None else self._key(secret, call, request, options)

    async def peek(self, runtime: Runtime, key: str) -> Entry | None:
        """Return the entry of a key as `find` does, without a trace."""
        data = await self._store.peek(runtime, key)
        return None if data is None else Entry.load(data)

    def _key(
        self, secret: bytes, call: Call, request: ChatCompletionRequest, options: CacheOptions
    ) -> str:
        namespace = options.namespace if options.namespace is not None else self._namespace
        tenant = call.tenant(secret) if namespace is None else ""
        return key_of(
            secret,
            request,
            url=call.url,
            tenant=tenant,
            namespace=namespace or "",
            redaction=_redaction(call),
        )

    async def find(self, runtime: Runtime, key: str) -> Entry | None:
        """Return the entry of a key, however old."""
        data = await self._store.get(runtime, key)
        return None if data is None else Entry.load(data)

    def ttl(self, options: CacheOptions) -> float:
        """Return the seconds for which a new answer is fresh."""
        return self._freshness.ttl if options.ttl is None else options.ttl

    async def keep(
        self,
        runtime: Runtime,
        key: str,
        items: tuple[bytes, ...],
        options: CacheOptions,
        age: float,
    ) -> None:
        """Store an answer that came ``age`` seconds ago."""
        freshness, ttl = self._freshness, self.ttl(options)
        entry = Entry(self._clock() - age, ttl, items)
        kept: float | None = ttl + max(freshness.stale_while_revalidate, freshness.stale_if_error)
        seconds = None if kept == math.inf else kept
        if await self._store.set(runtime, key, entry.dump(), seconds):
            await self._secret.renew(runtime)

    async def release(self, call: Call, key: str) -> None:
        """Give back the lease on a key."""
        await self._store.release(call.runtime, key, call.id)

    def age(self, entry: Entry) -> float:
        """Return the seconds since an entry was stored."""
        return max(0.0, self._clock() - entry.created)

    def is_fresh(self, entry: Entry, options: CacheOptions) -> bool:
        """Tell whether an entry serves as it is."""
        return self.age(entry) < _ttl(entry, options)

    def may_be_refreshed(self, entry: Entry, options: CacheOptions) -> bool:
        """Tell whether a stale entry serves while a new one is fetched."""
        limit = _ttl(entry, options) + self._freshness.stale_while_revalidate
        return self.age(entry) < limit

    def serves_on_error(self, entry: Entry, options: CacheOptions) -> bool:
        """Tell whether a stale entry serves when the router is down."""
        return self.age(entry) < _ttl(entry, options) + self._freshness.stale_if_error


def _ttl(entry: Entry, options: CacheOptions) -> float:
    return entry.ttl if options.ttl is None else min(entry.ttl, options.ttl)


def _redaction(call: Call) -> str:
    """Return how answers are redacted within the cache."""
    note = call.info.notes.get("redaction", {})
    return f"{note.get('mode', '')} {note.get('settings', '')}"
