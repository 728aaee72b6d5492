"""A store in Redis or Valkey, shared by a fleet."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from orq_core import ConfigurationError
from orq_plugins.caching.stores._bounds import checked_seconds
from orq_plugins.caching.stores._per_loop import PerLoop

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
_LONGEST = 2**48  # milliseconds, 9,000 years; servers refuse what overflows their clock


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
        try:
            from redis import Redis  # noqa: PLC0415 - an extra
            from redis.asyncio import Redis as AsyncRedis  # noqa: PLC0415
        except ImportError:
            raise ConfigurationError(
                "RedisStore needs redis-py: pip install 'orq-core[redis]'",
            ) from None
        self._place = _place(url)
        self._prefix = prefix
        seconds = checked_seconds("timeout", timeout)
        options: dict[str, Any] = {
            "socket_timeout": seconds,
            "socket_connect_timeout": seconds,
            # What can't be had at once is a miss.
            "retry": None,
            "retry_on_timeout": False,
        }
        # redis-py leaves the types of its options open.
        kind: Any = Redis
        async_kind: Any = AsyncRedis
        try:
            made = kind.from_url(url, **options)
        except ValueError:
            # Its message may quote the URL, and so a password.
            raise ConfigurationError("url: redis-py can't read it") from None
        self._is_ours = client is None
        self._client: Any = made if client is None else client
        self._given_async = async_client
        self._clients = PerLoop(lambda: async_kind.from_url(url, **options))
        for each in (self._client, async_client):
            if _decodes(each):
                raise ConfigurationError("decode_responses: answers are bytes, switch it off")

    def __repr__(self) -> str:
        return f"<RedisStore {self._place}>"

    async def get(self, runtime: Runtime, key: str) -> bytes | None:
        """See `Store`."""
        value: bytes | None = await self._ask(runtime, "get", self._prefix + key)
        return value

    async def set(self, runtime: Runtime, key: str, value: bytes, ttl: float | None) -> None:
        """See `Store`."""
        until = None if ttl is None else _milliseconds(ttl)
        await self._ask(runtime, "set", self._prefix + key, value, px=until)

    async def delete(self, runtime: Runtime, key: str) -> None:
        """See `Store`."""
        await self._ask(runtime, "delete", self._prefix + key)

    async def acquire(self, runtime: Runtime, key: str, owner: str, seconds: float) -> bool:
        """See `Store`."""
        until = _milliseconds(seconds)
        return bool(await self._ask(runtime, "eval", _ACQUIRE, 1, self._lease(key), owner, until))

    async def release(self, runtime: Runtime, key: str, owner: str) -> None:
        """See `Store`."""
        await self._ask(runtime, "eval", _RELEASE, 1, self._lease(key), owner)

    async def close(self, runtime: Runtime) -> None:
        """See `Store`; under asyncio the connections of the running loop are closed."""
        if runtime.is_async:
            await self._clients.close()
        elif self._is_ours:
            self._client.close()

    def _lease(self, key: str) -> str:
        return f"{self._prefix}lease:{key}"

    async def _ask(self, runtime: Runtime, command: str, *args: Any, **options: Any) -> Any:
        if runtime.is_async:
            client = self._given_async or await self._clients.get()
            return await getattr(client, command)(*args, **options)
        return getattr(self._client, command)(*args, **options)


def _place(url: str) -> str:
    """Return the server's name; raises ConfigurationError, which never quotes the URL."""
    try:
        parts = urlsplit(url)
        known = parts.scheme in {"redis", "rediss", "unix"} and (parts.port or True)
    except ValueError:
        known = False
    else:
        # Left unquoted, these end a password early: the rest of it would pass for a path.
        if known and not any("@" in part for part in (parts.path, parts.query, parts.fragment)):
            return parts.hostname or "socket"
    raise ConfigurationError(
        "url: expected redis://, rediss:// or unix://, with / ? # @ in a password percent-encoded",
    )


def _decodes(client: Any) -> bool:
    pool = getattr(client, "connection_pool", None)
    return bool(getattr(pool, "connection_kwargs", {}).get("decode_responses"))


def _milliseconds(seconds: float) -> int:
    return max(1, math.ceil(min(seconds * 1000, _LONGEST)))
