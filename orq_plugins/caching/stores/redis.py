"""A store in Redis or Valkey, shared by a fleet."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from weakref import WeakKeyDictionary

from orq_core import ConfigurationError
from orq_plugins.caching.stores._bounds import checked_seconds

if TYPE_CHECKING:
    from orq_core import Runtime

# Deletes a lease only while it is its owner's; the usual way, from the documentation of SET.
_RELEASE = "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) end"


class RedisStore:
    """Keeps answers where every process of a fleet finds them; the server bounds its own memory.

    ``url``: ``redis://``, ``rediss://`` or ``unix://``. ``prefix`` stands before every key.
    ``timeout``: seconds for a connection, and for an answer. ``client`` and ``async_client``:
    redis-py clients of your own for the two modes, which stay open; they must not decode answers.

    Needs the extra ``redis``. Raises ConfigurationError when it is missing.
    """

    def __init__(
        self,
        url: str = "redis://127.0.0.1:6379/0",
        *,
        prefix: str = "orq:",
        timeout: float = 0.25,
        client: Any = None,
        async_client: Any = None,
    ) -> None:
        """Note the settings; no connection is made."""
        try:
            from redis import Redis  # noqa: PLC0415 - an extra
            from redis.asyncio import Redis as AsyncRedis  # noqa: PLC0415
        except ImportError:
            raise ConfigurationError(
                "RedisStore needs redis-py: pip install 'orq-core[redis]'",
            ) from None
        self._kind: Any = Redis
        self._async_kind: Any = AsyncRedis
        self._url = url
        self._prefix = prefix
        seconds = checked_seconds("timeout", timeout)
        self._options: dict[str, Any] = {
            "socket_timeout": seconds,
            "socket_connect_timeout": seconds,
            # What can't be had at once is a miss.
            "retry": None,
            "retry_on_timeout": False,
        }
        self._given = client
        self._given_async = async_client
        self._client: Any = None
        self._clients: WeakKeyDictionary[asyncio.AbstractEventLoop, Any] = WeakKeyDictionary()
        self._pid = os.getpid()
        self._inherited: list[object] = []

    def __repr__(self) -> str:
        return f"<RedisStore {urlsplit(self._url).hostname or 'socket'}>"

    async def get(self, runtime: Runtime, key: str) -> bytes | None:
        """See `Store`."""
        value: bytes | None = await self._ask(runtime, "get", self._prefix + key)
        return value

    async def set(self, runtime: Runtime, key: str, value: bytes, ttl: float | None) -> None:
        """See `Store`."""
        until = None if ttl is None else max(1, int(ttl * 1000))
        await self._ask(runtime, "set", self._prefix + key, value, px=until)

    async def delete(self, runtime: Runtime, key: str) -> None:
        """See `Store`."""
        await self._ask(runtime, "delete", self._prefix + key)

    async def acquire(self, runtime: Runtime, key: str, owner: str, seconds: float) -> bool:
        """See `Store`."""
        name, until = self._lease(key), max(1, int(seconds * 1000))
        if await self._ask(runtime, "set", name, owner, px=until, nx=True):
            return True
        return bool(await self._ask(runtime, "get", name) == owner.encode())

    async def release(self, runtime: Runtime, key: str, owner: str) -> None:
        """See `Store`."""
        await self._ask(runtime, "eval", _RELEASE, 1, self._lease(key), owner)

    async def close(self, runtime: Runtime) -> None:
        """See `Store`; under asyncio the connections of the running loop are closed."""
        if runtime.is_async:
            client = self._clients.pop(asyncio.get_running_loop(), None)
            if client is not None:
                await client.aclose()
        elif self._client is not None and self._pid == os.getpid():
            client, self._client = self._client, None
            client.close()

    def _lease(self, key: str) -> str:
        return f"{self._prefix}lease:{key}"

    async def _ask(self, runtime: Runtime, command: str, *args: Any, **options: Any) -> Any:
        self._after_fork()
        if runtime.is_async:
            return await getattr(self._async_client(), command)(*args, **options)
        return getattr(self._blocking_client(), command)(*args, **options)

    def _after_fork(self) -> None:
        if self._pid != os.getpid():
            # Kept and never used again: these are the parent's connections.
            self._inherited.append((self._client, self._clients))
            self._client, self._clients = None, WeakKeyDictionary()
            self._pid = os.getpid()

    def _blocking_client(self) -> Any:
        if self._given is not None:
            return self._given
        if self._client is None:
            self._client = self._kind.from_url(self._url, **self._options)
        return self._client

    def _async_client(self) -> Any:
        if self._given_async is not None:
            return self._given_async
        loop = asyncio.get_running_loop()
        client = self._clients.get(loop)
        if client is None:
            client = self._async_kind.from_url(self._url, **self._options)
            self._clients[loop] = client
        return client
