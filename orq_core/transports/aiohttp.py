"""The asyncio transport, on aiohttp."""

from __future__ import annotations

import asyncio
import io
import os
import sys
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import aiohttp

from orq_core.errors import OrqError
from orq_core.transports._aiohttp_response import FAILURES, AiohttpResponse, failure
from orq_core.transports._environment import Proxies, ca_bundle, checked_files
from orq_core.transports._framing import check_framing
from orq_core.transports._tls import Tls

if sys.version_info >= (3, 11):
    from asyncio import Timeout, timeout_at

    def _move(scope: Timeout, when: float) -> None:
        scope.reschedule(when)
else:
    from async_timeout import Timeout, timeout_at

    def _move(scope: Timeout, when: float) -> None:
        scope.update(when)


if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncGenerator, Callable

    from orq_core.limits import Phase
    from orq_core.transports import HttpRequest

_enter: ContextVar[Callable[[Phase], None] | None] = ContextVar("_enter", default=None)
_NO_LIMIT = aiohttp.ClientTimeout(total=None, connect=None, sock_connect=None, sock_read=None)
_LARGE = 2**20
_LONGEST_LINE = 65536  # of a head, in bytes: what the blocking transport takes too


class AiohttpTransport:
    """Sends through one session per event loop, or through your `aiohttp.ClientSession`.

    ``session``: yours; its connector and default headers are honoured, and it stays open.
    ``proxy``: a proxy's URL, default from the environment. ``verify``: False, the path of a CA
    bundle, or an `ssl.SSLContext`. ``cert``: path of a client certificate, or a pair with its key.
    ``max_connections``: how many at once to one host, default unlimited; a call beyond them waits
    for ``timeout.connect``. ``max_response_bytes`` bounds `AiohttpResponse.read`.

    A session is closed when its event loop shuts down its asynchronous generators, as
    `asyncio.run` does, so a client may be used on several loops one after the other.
    """

    is_async = True

    def __init__(
        self,
        *,
        session: aiohttp.ClientSession | None = None,
        proxy: str | None = None,
        verify: bool | str | ssl.SSLContext | None = None,
        cert: str | tuple[str, str] | None = None,
        max_connections: int | None = None,
        max_response_bytes: int = 64 * 2**20,
    ) -> None:
        """Note the settings; no connection is made and no event loop is needed."""
        checked_files(verify, cert)
        self._given = session
        self._proxies = Proxies(proxy)
        self._limit = max_connections or 0
        self._max_bytes = max_response_bytes
        self._tls = Tls(verify, cert, ca_bundle)
        self._pid = os.getpid()
        self._open: WeakKeyDictionary[asyncio.AbstractEventLoop, _Opened] = WeakKeyDictionary()
        self._inherited: list[object] = []

    async def send(self, http: HttpRequest) -> AiohttpResponse:
        """Send; see `Transport`."""
        loop = asyncio.get_running_loop()
        session = self._given or await self._session(loop)
        limits = http.limits
        proxy = self._proxies.of(http.url)
        # Most calls find a connection, and need no other timer than for their answer.
        limits.enter("first_event")
        scope: Timeout | None = None

        def enter(phase: Phase) -> None:
            if limits.phase == phase:
                return
            limits.enter(phase)
            left = limits.remaining()
            if left is not None and scope is not None:
                _move(scope, loop.time() + left)

        told = _enter.set(enter)
        try:
            left = limits.remaining()
            async with timeout_at(None if left is None else loop.time() + left) as scope:
                answer = await session.request(
                    http.method,
                    http.url,
                    # Of bytes as large as this aiohttp warns; a file it sends piece by piece.
                    data=http.body if len(http.body) < _LARGE else io.BytesIO(http.body),
                    headers=http.headers,
                    proxy=proxy,
                    allow_redirects=False,
                    timeout=_NO_LIMIT,
                    ssl=self._ssl(http.url),
                )
        except OrqError:
            raise
        except FAILURES as error:
            raise failure(error, http, proxy) from error
        finally:
            _enter.reset(told)
            # The scope keeps the task, whose result may be the very stream that reads the answer:
            # a stream that can't be dropped.
            scope = None
        named = answer.headers.getall
        try:
            check_framing(http.url, named("Content-Length", ()), named("Transfer-Encoding", ()))
        except OrqError:
            answer.close()
            raise
        return AiohttpResponse(answer, http, loop, self._max_bytes)

    async def _session(self, loop: asyncio.AbstractEventLoop) -> aiohttp.ClientSession:
        if self._pid != os.getpid():
            # Kept and never used again: closing it here would speak on the parent's sockets.
            self._inherited.append(self._open)
            self._open = WeakKeyDictionary()
            self._pid = os.getpid()
        opened = self._open.get(loop)
        if opened is None or opened.session.closed:
            opened = _Opened(self._make_session())
            self._open[loop] = opened
            await opened.guard.__anext__()
        return opened.session

    def _make_session(self) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            connector=_Connector(limit=0, limit_per_host=self._limit),
            cookie_jar=aiohttp.DummyCookieJar(),
            max_line_size=_LONGEST_LINE,
            max_field_size=_LONGEST_LINE,
        )

    def _ssl(self, url: str) -> ssl.SSLContext | bool:
        """Return the context, made only for those who need it; your session has its own."""
        plain = url.startswith("http:") and not (self._proxies.of(url) or "").startswith("https:")
        return True if plain or self._given is not None else self._tls.context()

    async def close(self) -> None:
        """Close the sessions of all loops; yours stays open."""
        if self._pid != os.getpid():
            return
        here = asyncio.get_running_loop()
        for loop, opened in list(self._open.items()):
            if loop is here:
                await opened.guard.aclose()
            elif loop.is_running():
                asyncio.run_coroutine_threadsafe(_finish(opened.guard), loop)
        self._open.clear()


class _Opened:
    """A session and the generator that ends it with its loop."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self.session = session
        self.guard = _until_the_loop_ends(session)


async def _until_the_loop_ends(session: aiohttp.ClientSession) -> AsyncGenerator[None, None]:
    try:
        yield
    finally:
        await session.close()
        # The sockets' own closing callbacks run in the next turn of the loop.
        await asyncio.sleep(0)


async def _finish(guard: AsyncGenerator[None, None]) -> None:
    await guard.aclose()


class _Connector(aiohttp.TCPConnector):
    """Drops connections that aiohttp would keep.

    Bytes that arrived on an idle one it would hand to the next request, as the beginning of its
    answer; one that is left in the middle of a request stays open while the server reads nothing.
    """

    async def _get(self, key: Any, traces: Any) -> Any:
        while (connection := await super()._get(key, traces)) is not None:
            if connection.protocol is not None and not connection.protocol.should_close:
                break
            connection.close()
        if connection is None and (enter := _enter.get()) is not None:
            enter("connect")
        return connection

    async def connect(self, *args: Any, **kwargs: Any) -> Any:
        """Tell the request of a new connection; aiohttp's tracing would cost a tenth of a call."""
        connection = await super().connect(*args, **kwargs)
        if (enter := _enter.get()) is not None:
            enter("first_event")
        return connection

    def _release(self, key: Any, protocol: Any, *, should_close: bool = False) -> None:
        transport = protocol.transport
        if should_close and transport is not None and transport.get_write_buffer_size():
            # Closing would wait, perhaps for ever, for the server to read the rest of a request.
            transport.abort()
        super()._release(key, protocol, should_close=should_close)
