"""Connections to a Redis or Valkey server, for stores of either mode."""

from __future__ import annotations

import asyncio
import math
from collections import deque
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from orq_core import ConfigurationError
from orq_plugins._lock import Lock
from orq_plugins._per_loop import PerLoop

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from orq_core import Runtime

_MOST = 2**31
_TURNS = 32
_OWED = 1024  # commands remembered that may have to be undone
_AT_ONCE = 8  # of them before one command, which somebody waits for
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
            from redis import Redis  # noqa: PLC0415 - redis-py is an extra, which only users of these stores have
            from redis.asyncio import Redis as AsyncRedis  # noqa: PLC0415 - redis-py is an extra, which only users of these stores have
            from redis.exceptions import ResponseError  # noqa: PLC0415 - redis-py is an extra, which only users of these stores have
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
            from redis.driver_info import DriverInfo  # noqa: PLC0415 - of an extra, and redis-py 7.1 has no such module
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
        self._given, self._given_async = client, async_client
        self._refusal: type[Exception] = ResponseError
        self._owed: deque[tuple[Any, ...]] = deque(maxlen=_OWED)
        self._blocking = _Blocking(lambda: kind.from_url(url, **options))
        self._clients = PerLoop(lambda: _Client(async_kind.from_url(url, **options)))
        for each in (made if client is None else client, async_client):
            if _decodes(each):
                raise ConfigurationError("decode_responses: answers are bytes, switch it off")

    async def ask(self, runtime: Runtime, command: str, *args: Any, **options: Any) -> Any:
        """Send one command and return the answer; raises what redis-py raises."""
        if runtime.is_async:
            if self._given_async is not None:
                return await getattr(self._given_async, command)(*args, **options)
            ours: _Client = await self._clients.get()
            return await ours.ask(command, *args, **options)
        if self._given is not None:
            return getattr(self._given, command)(*args, **options)
        with self._blocking.client() as client:
            return getattr(client, command)(*args, **options)

    async def ask_or_undo(self, runtime: Runtime, undo: tuple[Any, ...], *command: Any) -> Any:
        """Send a command, and ``undo`` if it raised: the server may have obeyed all the same.

        That is made up for before the next such command, for now the server does not answer. To
        undo what was not done must do no harm.
        """
        await self._make_up(runtime, _AT_ONCE)
        try:
            return await self.ask(runtime, *command)
        except BaseException:
            self.owe(*undo)
            raise

    def owe(self, *command: Any) -> None:
        """Have a command sent before the next that `ask_or_undo` sends; twice must do no harm."""
        self._owed.append(command)

    async def _make_up(self, runtime: Runtime, most: int) -> None:
        for _ in range(min(most, len(self._owed))):
            try:
                undo = self._owed.popleft()
            except IndexError:  # another thread was faster
                return
            try:
                await self.ask(runtime, *undo)
            except self._refusal:
                # Asked again and again, it would keep all that come after from being asked.
                continue
            except BaseException:
                self._owed.appendleft(undo)
                raise

    async def close(self, runtime: Runtime) -> None:
        """Close what is ours; under asyncio the connections of the running loop.

        Commands on their way, of others who share the store, come to their end first.
        """
        try:
            with suppress(Exception):
                await self._make_up(runtime, _OWED)
        finally:
            await self._close(runtime)

    async def _close(self, runtime: Runtime) -> None:
        if not runtime.is_async:
            self._blocking.close()
        elif self._given_async is None:
            ours: _Client = await self._clients.get()
            ours.is_retired = True
            await self._clients.close()


class _Client:
    """A loop's client, and turns to use it: thousands of tasks need no connection each.

    Once retired, it is closed by the last one who uses it: redis-py itself would cut off the
    others.
    """

    def __init__(self, client: Any) -> None:
        self.is_retired = False
        self._client = client
        self._turns = asyncio.Semaphore(_TURNS)
        self._users = 0

    async def ask(self, command: str, *args: Any, **options: Any) -> Any:
        self._users += 1
        try:
            async with self._turns:
                return await getattr(self._client, command)(*args, **options)
        finally:
            self._users -= 1
            if self.is_retired and not self._users:
                await self._client.aclose()

    async def aclose(self) -> None:
        if not (self.is_retired and self._users):
            await self._client.aclose()


class _Blocking:
    """The client of all threads; it is closed as `_Client` is."""

    def __init__(self, make: Callable[[], Any]) -> None:
        self._make = make
        self._lock = Lock()
        self._client: Any = None
        self._users: dict[Any, int] = {}

    @contextmanager
    def client(self) -> Generator[Any, None, None]:
        with self._lock:
            if self._client is None:
                self._client = self._make()
            client = self._client
            self._users[client] = self._users.get(client, 0) + 1
        try:
            yield client
        finally:
            with self._lock:
                left = self._users.pop(client) - 1
                if left:
                    self._users[client] = left
                is_over = not left and client is not self._client
            if is_over:
                client.close()

    def close(self) -> None:
        with self._lock:
            client, self._client = self._client, None
            is_free = client not in self._users
        if client is not None and is_free:
            client.close()


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
