"""Connections to a Redis or Valkey server, for stores of either mode."""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from orq_core import ConfigurationError
from orq_plugins._per_loop import PerLoop

if TYPE_CHECKING:
    from orq_core import Runtime

_MOST = 2**31
_TURNS = 32
_LONGEST = 2**48  # milliseconds, 9,000 years; servers refuse what overflows their clock


class RedisConnections:
    """A blocking client, and one for each event loop; nothing is tried twice.

    ``url``: ``redis://``, ``rediss://`` or ``unix://``. ``timeout``: seconds for a connection, and
    for an answer. ``client`` and ``async_client``: clients of the caller's own, which stay open.
    ``store`` names who asks, in errors.

    Raises ConfigurationError when redis-py is missing and for arguments that can't be used; it
    never quotes the URL.
    """

    def __init__(
        self, store: str, url: str, *, timeout: float, client: Any, async_client: Any
    ) -> None:
        """Check the settings; no connection is made."""
        try:
            from redis import Redis  # noqa: PLC0415 - an extra
            from redis.asyncio import Redis as AsyncRedis  # noqa: PLC0415 - of an extra
        except ImportError:
            raise ConfigurationError(
                f"{store} needs redis-py: pip install 'orq-core[redis]'",
            ) from None
        self.place = _place(url)
        options: dict[str, Any] = {
            "socket_timeout": timeout,
            "socket_connect_timeout": timeout,
            # What can't be had at once is not waited for.
            "retry": None,
            "retry_on_timeout": False,
            # As many as threads, or as tasks have turns; the default refuses those above 100.
            "max_connections": _MOST,
        }
        try:
            from redis.driver_info import DriverInfo  # noqa: PLC0415 - not in redis-py 7.1
        except ImportError:
            pass
        else:
            # Made by each client, it would read a file on the event loop.
            options["driver_info"] = DriverInfo()
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
        self._clients = PerLoop(lambda: _Client(async_kind.from_url(url, **options)))
        for each in (self._client, async_client):
            if _decodes(each):
                raise ConfigurationError("decode_responses: answers are bytes, switch it off")

    async def ask(self, runtime: Runtime, command: str, *args: Any, **options: Any) -> Any:
        """Send one command and return the answer; raises what redis-py raises."""
        if runtime.is_async:
            if self._given_async is not None:
                return await getattr(self._given_async, command)(*args, **options)
            ours: _Client = await self._clients.get()
            async with ours.turns:
                return await getattr(ours.client, command)(*args, **options)
        return getattr(self._client, command)(*args, **options)

    async def close(self, runtime: Runtime) -> None:
        """Close what is ours; under asyncio the connections of the running loop."""
        if runtime.is_async:
            await self._clients.close()
        elif self._is_ours:
            self._client.close()


class _Client:
    """A loop's client, and turns to use it: thousands of tasks need no connection each."""

    def __init__(self, client: Any) -> None:
        self.client = client
        self.turns = asyncio.Semaphore(_TURNS)

    async def aclose(self) -> None:
        await self.client.aclose()


def milliseconds(seconds: float) -> int:
    """Return what a server takes for a time to live; never 0."""
    return max(1, math.ceil(min(seconds * 1000, _LONGEST)))


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
