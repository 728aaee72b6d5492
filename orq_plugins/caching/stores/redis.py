"""A store in Redis or Valkey, shared by a fleet."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from orq_plugins._redis import RedisConnections, milliseconds
from orq_plugins.caching.stores._bounds import checked_seconds

if TYPE_CHECKING:
    from orq_core import Runtime

_ACQUIRE = """
if redis.call('get', KEYS[1]) == ARGV[1] then
    return redis.call('pexpire', KEYS[1], ARGV[2])
end
return redis.call('set', KEYS[1], ARGV[1], 'PX', ARGV[2], 'NX') and 1 or 0
"""
# Deletes a lease only while it is its owner's; the usual way, from the documentation of SET.
_RELEASE = "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) end"


class RedisStore:
    """Keeps answers where every process of a fleet finds them; the server bounds its own memory.

    ``url``: ``redis://``, ``rediss://`` or ``unix://``, with percent signs for what is special in
    a password. ``prefix`` stands before every key. ``timeout``: seconds for a connection, and for
    an answer; nothing is tried twice. ``client`` and ``async_client``: redis-py clients of your own
    for the two modes, which stay open; they must not decode answers.

    Needs the extra ``redis``. Raises ConfigurationError when it is missing, and for an argument
    that can't be used.
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
        """Check the settings; no connection is made."""
        seconds = checked_seconds("timeout", timeout)
        self._prefix = prefix
        self._connections = RedisConnections(
            "RedisStore", url, timeout=seconds, client=client, async_client=async_client
        )

    def __repr__(self) -> str:
        return f"<RedisStore {self._connections.place}>"

    async def get(self, runtime: Runtime, key: str) -> bytes | None:
        """See `Store`."""
        value: bytes | None = await self._connections.ask(runtime, "get", self._prefix + key)
        return value

    async def set(self, runtime: Runtime, key: str, value: bytes, ttl: float | None) -> None:
        """See `Store`."""
        until = None if ttl is None else milliseconds(ttl)
        await self._connections.ask(runtime, "set", self._prefix + key, value, px=until)

    async def delete(self, runtime: Runtime, key: str) -> None:
        """See `Store`."""
        await self._connections.ask(runtime, "delete", self._prefix + key)

    async def acquire(self, runtime: Runtime, key: str, owner: str, seconds: float) -> bool:
        """See `Store`."""
        until = milliseconds(seconds)
        return bool(
            await self._connections.ask(
                runtime, "eval", _ACQUIRE, 1, self._lease(key), owner, until
            )
        )

    async def release(self, runtime: Runtime, key: str, owner: str) -> None:
        """See `Store`."""
        await self._connections.ask(runtime, "eval", _RELEASE, 1, self._lease(key), owner)

    async def close(self, runtime: Runtime) -> None:
        """See `Store`; under asyncio the connections of the running loop are closed."""
        await self._connections.close(runtime)

    def _lease(self, key: str) -> str:
        return f"{self._prefix}lease:{key}"
