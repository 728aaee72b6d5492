"""An answer of aiohttp's, and what its exceptions mean."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import aiohttp
from multidict import CIMultiDict, CIMultiDictProxy

from orq_core.errors import APIConnectionError, ConnectError, OrqError
from orq_core.transports._body import read_all
from orq_core.transports._environment import place_of, reason_of
from orq_core.transports._watch import Watch

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orq_core.transports import HttpRequest

FAILURES = (aiohttp.ClientError, OSError, asyncio.TimeoutError, ValueError, RuntimeError)
_NO_HEADERS: CIMultiDictProxy[str] = CIMultiDictProxy(CIMultiDict())
_NOT_SENT = (
    aiohttp.ClientConnectorError,
    aiohttp.ClientProxyConnectionError,
    aiohttp.ClientHttpProxyError,
    aiohttp.InvalidURL,
)


class AiohttpResponse:
    """An answer whose head has arrived."""

    def __init__(
        self,
        answer: aiohttp.ClientResponse,
        http: HttpRequest,
        loop: asyncio.AbstractEventLoop,
        max_bytes: int,
    ) -> None:
        """Read from aiohttp's response, by the request's limits."""
        self.status: int = answer.status
        self.headers: Mapping[str, str] = answer.headers
        self._answer = answer
        self._http = http
        self._max_bytes = max_bytes
        self._closed = False
        self._watch = Watch(http.limits, loop, self._expire)

    async def read(self) -> bytes:
        """Return the rest of the body; raises ResponseDecodeError past the size limit."""
        return await read_all(self, self._max_bytes)

    async def receive(self) -> bytes:
        """Return what has arrived, ``b""`` at the end."""
        self._watch.look()
        try:
            data = await self._answer.content.readany()
        except FAILURES as error:
            raise self._ended(error) from error
        if (self._closed or self._watch.expired) and not data:
            raise self._ended(None)
        return data

    def _ended(self, error: Exception | None) -> OrqError:
        if self._watch.expired:
            return self._http.limits.error()
        if error is None or self._closed:
            return APIConnectionError("the response was closed while it was being read")
        return failure(error, self._http)

    def _expire(self) -> None:
        self._answer.close()

    def close(self) -> None:
        """Give the connection back if the body is over, else drop it."""
        if self._closed:
            return
        self._closed = True
        self._watch.cancel()
        # After the end of its loop there is nothing left to tell the socket by.
        with contextlib.suppress(RuntimeError):
            if self._answer.content.at_eof():
                self._answer.release()
            else:
                self._answer.close()


def failure(error: Exception, http: HttpRequest, proxy: str | None = None) -> OrqError:
    if isinstance(error, (asyncio.TimeoutError, TimeoutError)):
        return http.limits.error()
    if isinstance(error, aiohttp.ClientResponseError):
        # It shows the whole request, with its headers.
        asked = error.request_info
        error.args = ()
        error.request_info = aiohttp.RequestInfo(
            asked.url, asked.method, _NO_HEADERS, asked.real_url
        )
    place, reason = place_of(http.url, proxy), reason_of(error)
    if isinstance(error, _NOT_SENT) or http.limits.phase == "connect":
        return ConnectError(f"could not connect to {place}: {reason}")
    return APIConnectionError(f"the connection to {place} failed: {reason}")
