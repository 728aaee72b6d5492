"""An answer of aiohttp's, and what its exceptions mean."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import aiohttp
from aiohttp.http import HttpProcessingError
from multidict import CIMultiDict, CIMultiDictProxy

from orq_core.errors import APIConnectionError, ConnectError, OrqError
from orq_core.transports._aiohttp_straight import Straight
from orq_core.transports._body import read_all
from orq_core.transports._environment import place_of, reason_of
from orq_core.transports._overdue import reached

if TYPE_CHECKING:
    from orq_core.limits import Limits
    from orq_core.transports import HttpRequest
    from orq_core.transports._watch import Watches

FAILURES = (
    aiohttp.ClientError,
    aiohttp.EofStream,  # of a connection that was closed while its reader had yet to run
    HttpProcessingError,
    OSError,
    asyncio.TimeoutError,
    ValueError,
    RuntimeError,
)
_NO_HEADERS: CIMultiDictProxy[str] = CIMultiDictProxy(CIMultiDict())
_NOT_SENT = (
    aiohttp.ClientConnectorError,
    aiohttp.ClientProxyConnectionError,
    aiohttp.ClientHttpProxyError,
    aiohttp.ConnectionTimeoutError,
    aiohttp.InvalidURL,
)


class AiohttpResponse:
    """An answer whose head has arrived."""

    __slots__ = (
        "_answer",
        "_closed",
        "_expired",
        "_max_bytes",
        "_phase",
        "_rested",
        "_url",
        "_waits",
        "_watches",
        "headers",
        "limits",
        "status",
    )

    def __init__(
        self,
        answer: aiohttp.ClientResponse | Straight,
        http: HttpRequest,
        watches: Watches,
        max_bytes: int,
    ) -> None:
        """Read from aiohttp's response, by the request's limits."""
        self.status = answer.status
        self.headers = answer.headers
        self.limits = http.limits
        self._answer = answer
        # The request itself, with its body, is not kept for as long as a stream may take.
        self._url = http.url
        self._max_bytes = max_bytes
        self._closed = False
        self._expired = False
        self._watches = watches
        self._phase = self.limits.phase
        self._waits = True  # for its head, which this may be made before
        self._rested = False
        watches.add(self)

    async def read(self) -> bytes:
        """Return the rest of the body; raises ResponseDecodeError past the size limit."""
        return await read_all(self, self._max_bytes)

    async def receive(self) -> bytes:
        """Return what has arrived, ``b""`` at the end."""
        content = self._answer.content
        if self.limits.phase != self._phase or self._rested:
            # Within one phase the nearest limit moves away only.
            self._phase, self._rested = self.limits.phase, False
            self._watches.look(self)
        elif content.at_eof() and not self._closed and not self._expired:
            return b""
        self._waits = True
        try:
            data = await content.readany()
        except FAILURES as error:
            raise self.ended(error) from error
        finally:
            self._waits = False
        if (self._closed or self._expired) and not data:
            raise self.ended(None)
        return data

    def ended(self, error: Exception | None) -> OrqError:
        """Say why nothing more comes."""
        if self._expired:
            return self.limits.error()
        if error is None or self._closed:
            return APIConnectionError("the response was closed while it was being read")
        return failure(error, self._url, self.limits)

    def rests(self) -> bool:
        """See `Watched`."""
        self._rested = not self._waits and not self._closed
        return self._rested

    def expire(self) -> None:
        """Drop the connection, because nothing came in time."""
        self._expired = True
        self._answer.close()

    def release(self) -> None:
        """Give the connection back once the body is over, if it soon is, else drop it."""
        answer = self._answer
        if isinstance(answer, Straight) and not self._closed and not answer.content.at_eof():
            self._closed = True
            self._watches.linger(self)
        else:
            self.close()

    def close(self) -> None:
        """Give the connection back if the body is over, else drop it."""
        if self._closed:
            return
        self._closed = True
        self._watches.discard(self)
        try:
            if self._answer.content.at_eof():
                self._answer.release()
            else:
                self._answer.close()
        except RuntimeError:
            # After the end of its loop there is nothing left to tell the socket by.
            pass


def failure(
    error: Exception,
    url: str,
    limits: Limits,
    proxy: str | None = None,
    connect_at: float | None = None,
) -> OrqError:
    """Say what a backend's exception means.

    ``connect_at``: when a session of the caller's must have connected; it does not say when it has.
    """
    timed_out = isinstance(error, (asyncio.TimeoutError, TimeoutError))
    if isinstance(error, aiohttp.ConnectionTimeoutError) and reached(limits, connect_at):
        limits.phase, limits.phase_at = "connect", connect_at
        return limits.error()
    if timed_out and reached(limits, limits.next_at):
        return limits.error()
    if isinstance(error, aiohttp.ClientResponseError):
        # It shows the whole request, with its headers.
        asked = error.request_info
        error.args = ()
        error.request_info = aiohttp.RequestInfo(
            asked.url, asked.method, _NO_HEADERS, asked.real_url
        )
    place, reason = place_of(url, proxy), "timed out" if timed_out else reason_of(error)
    if isinstance(error, _NOT_SENT) or limits.phase == "connect":
        return ConnectError(f"could not connect to {place}: {reason}")
    return APIConnectionError(f"the connection to {place} failed: {reason}")
