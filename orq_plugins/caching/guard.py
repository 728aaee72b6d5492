"""A store that can't break a call: its failures and its slowness are misses."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, TypeVar

from orq_plugins.caching._tasks import within

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from orq_core import Runtime
    from orq_plugins.caching.stores import Store

T = TypeVar("T")

_log = logging.getLogger("orq")


class StoreFailedError(Exception):
    """The store raised something, or was too slow."""


class GuardedStore:
    """Asks a store within ``seconds``; counts what fails and reports the first of it.

    Under asyncio a store that is too slow is left alone. In blocking mode nothing can be left
    alone, so there a store has to hold its own limits, as those of this package do.
    """

    def __init__(self, store: Store, seconds: float) -> None:
        """Guard a store."""
        self.store = store
        self.failures = 0
        self._seconds = seconds

    async def get(self, runtime: Runtime, key: str) -> bytes | None:
        """Return what is stored, None if there is nothing or the store fails."""
        return await self._try(runtime, None, self.store.get, key)

    async def peek(self, runtime: Runtime, key: str) -> bytes | None:
        """Return what is stored, without a trace if the store can; raises what the store raises."""
        look: Callable[..., Awaitable[bytes | None]]
        look = getattr(self.store, "peek", self.store.get)
        if runtime.is_async:
            return await within(self._seconds, look, runtime, key)
        return await look(runtime, key)

    async def set(self, runtime: Runtime, key: str, value: bytes, ttl: float | None) -> bool:
        """Store, if the store can; tell whether it could."""
        try:
            await self.ask(runtime, self.store.set, key, value, ttl)
        except StoreFailedError:
            return False
        return True

    async def acquire(self, runtime: Runtime, key: str, owner: str, seconds: float) -> bool:
        """Take a lease; granted when the store can't say."""
        return await self._try(runtime, True, self.store.acquire, key, owner, seconds)

    async def release(self, runtime: Runtime, key: str, owner: str) -> None:
        """Give a lease back."""
        await self._try(runtime, None, self.store.release, key, owner)

    async def close(self, runtime: Runtime) -> None:
        """Release what the store holds open."""
        await self._try(runtime, None, self.store.close)

    async def ask(self, runtime: Runtime, ask: Callable[..., Awaitable[T]], *args: Any) -> T:
        """Ask one of the store's methods; raises StoreFailedError, where a miss won't do."""
        try:
            if runtime.is_async:
                return await within(self._seconds, ask, runtime, *args)
            return await ask(runtime, *args)
        except Exception as error:
            self._failed(error)
            raise StoreFailedError from error

    async def _try(
        self, runtime: Runtime, otherwise: T, ask: Callable[..., Awaitable[T]], *args: Any
    ) -> T:
        try:
            return await self.ask(runtime, ask, *args)
        except StoreFailedError:
            # Whatever it is, the call goes on.
            return otherwise

    def _failed(self, error: Exception) -> None:
        self.failures += 1
        if self.failures == 1:
            _log.warning(
                "the cache's %s failed (%s); calls go on without it, and this is not said again",
                type(self.store).__name__,
                type(error).__name__,
            )
