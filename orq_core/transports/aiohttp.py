"""The asyncio transport, on aiohttp."""

from __future__ import annotations

import asyncio
import io
import os
import sys
from functools import lru_cache
from typing import TYPE_CHECKING

import aiohttp
from aiohttp.hdrs import CONTENT_LENGTH, TRANSFER_ENCODING

from orq_core.errors import OrqError
from orq_core.transports._aiohttp_loop import Here
from orq_core.transports._aiohttp_pool import entering
from orq_core.transports._aiohttp_response import FAILURES, AiohttpResponse, failure
from orq_core.transports._aiohttp_straight import LARGE, Straight, Way, is_plain
from orq_core.transports._environment import Proxies, ca_bundle, checked_session, checked_settings
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

    from orq_core.limits import Phase
    from orq_core.transports import HttpRequest
    from orq_core.transports._aiohttp_pool import Pool

_MOST_WAYS = 64  # kept at once; a service may give each tenant a server of its own


@lru_cache(maxsize=16)
def _timeout(connect: float | None) -> aiohttp.ClientTimeout:
    """Return what aiohttp is to hold a request to by itself."""
    return aiohttp.ClientTimeout(total=None, connect=connect, sock_connect=None, sock_read=None)


_NO_LIMIT = _timeout(None)


class AiohttpTransport:
    """Sends through one session per event loop, or through your `aiohttp.ClientSession`.

    ``session``: yours; its connector and default headers are honoured, and it stays open.
    ``proxy``: the URL of an http or https proxy, default from the environment; for SOCKS, your
    session's connector. ``verify``: False, the path of a CA bundle, or an `ssl.SSLContext`.
    ``cert``: path of a client certificate, or a pair with its key.
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
        checked_session(session, aiohttp.ClientSession)
        checked_settings(verify, cert, max_connections)
        self._given = session
        self._proxies = Proxies(proxy, passed_over=session is not None)
        self._limit = max_connections or 0
        self._max_bytes = max_response_bytes
        self._tls = Tls(verify, cert, ca_bundle)
        self._pid = os.getpid()
        self._open: dict[asyncio.AbstractEventLoop, Here] = {}
        self._inherited: list[object] = []

    async def send(self, http: HttpRequest) -> AiohttpResponse:
        """Send; see `Transport`."""
        loop = asyncio.get_running_loop()
        proxy = self._proxies.of(http.url)
        connect_at = None
        if self._given is not None:
            http.limits.enter("connect")
            connect_at = http.limits.phase_at
        # Most calls find a connection, and need no other timer than for their answer.
        http.limits.enter("first_event")
        http.limits.remaining()
        here = self._open.get(loop)
        if here is None or here.closed or self._pid != os.getpid():
            here = await self._here(loop)
        try:
            if here.pool is not None and proxy is None and is_plain(http):
                response = await self._straight(http, here, here.pool, loop)
            else:
                answer = await self._asked(http, here.session, proxy, loop)
                response = AiohttpResponse(answer, http, here.watches, self._max_bytes)
        except OrqError:
            raise
        except FAILURES as error:
            raise failure(error, http.url, http.limits, proxy, connect_at) from error
        status, named = response.status, response.headers.getall
        try:
            check_framing(http.url, status, named(CONTENT_LENGTH, ()), named(TRANSFER_ENCODING, ()))
        except OrqError:
            response.close()
            raise
        return response

    async def _straight(
        self, http: HttpRequest, here: Here, pool: Pool, loop: asyncio.AbstractEventLoop
    ) -> AiohttpResponse:
        """Write the request onto a connection of the pool."""
        way = here.ways.get(http.url)
        if way is None:
            if len(here.ways) >= _MOST_WAYS:
                here.ways.clear()
            way = here.ways[http.url] = Way(http.url, here.session, self._ssl(http.url), loop)
        connection = await pool.idle(way.key)
        if connection is None:
            http.limits.enter("connect")
            left = http.limits.remaining()
            async with timeout_at(None if left is None else loop.time() + left):
                connection = await pool.connect(way.asked, [], _NO_LIMIT)
            http.limits.enter("first_event")
        straight = Straight(connection)
        response = AiohttpResponse(straight, http, here.watches, self._max_bytes)
        try:
            await straight.ask(way.written(http), events=http.stream)
        except FAILURES as error:
            failed = response.ended(error)
            response.close()
            raise failed from error
        except BaseException:
            response.close()
            raise
        response.status, response.headers = straight.status, straight.headers
        return response

    async def _asked(
        self,
        http: HttpRequest,
        session: aiohttp.ClientSession,
        proxy: str | None,
        loop: asyncio.AbstractEventLoop,
    ) -> aiohttp.ClientResponse:
        """Let a session send the request."""
        limits = http.limits
        scope: Timeout | None = None

        def enter(phase: Phase) -> None:
            if limits.phase == phase:
                return
            limits.enter(phase)
            left = limits.remaining()
            if left is not None and scope is not None:
                _move(scope, loop.time() + left)

        told = entering.set(enter)
        try:
            left = limits.remaining()
            async with timeout_at(None if left is None else loop.time() + left) as scope:
                return await session.request(
                    http.method,
                    http.url,
                    # Of bytes as large as this aiohttp warns; a file it sends piece by piece.
                    data=http.body if len(http.body) < LARGE else io.BytesIO(http.body),
                    headers=http.headers,
                    proxy=proxy,
                    allow_redirects=False,
                    # What a session raises for one has no body and no time to wait.
                    raise_for_status=False,
                    timeout=_NO_LIMIT if self._given is None else _timeout(limits.timeout.connect),
                    ssl=self._ssl(http.url),
                )
        finally:
            entering.reset(told)
            # The scope keeps the task, whose result may be the very stream that reads the answer:
            # a stream that can't be dropped.
            scope = None

    async def _here(self, loop: asyncio.AbstractEventLoop) -> Here:
        if self._pid != os.getpid():
            # Kept and never used again: closing it here would speak on the parent's sockets.
            self._inherited.append(self._open)
            self._open = {}
            self._pid = os.getpid()
        for other in tuple(self._open):
            if other.is_closed():
                self._open.pop(other, None)
        here = self._open[loop] = Here(loop, self._given, self._limit)
        await here.open()
        return here

    def _ssl(self, url: str) -> ssl.SSLContext | bool:
        """Return the context, made only for those who need it; your session has its own."""
        plain = url.startswith("http:") and not (self._proxies.of(url) or "").startswith("https:")
        return True if plain or self._given is not None else self._tls.context()

    async def close(self) -> None:
        """Close the sessions of all loops; yours stays open."""
        if self._pid != os.getpid():
            return
        running = asyncio.get_running_loop()
        for loop, here in tuple(self._open.items()):
            if loop is running:
                await here.close()
            elif loop.is_running():
                asyncio.run_coroutine_threadsafe(here.close(), loop)
        self._open.clear()
