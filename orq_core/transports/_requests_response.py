"""An answer of urllib3's, and what its and requests' exceptions mean."""

from __future__ import annotations

import contextlib
import threading
from http.client import HTTPException, IncompleteRead
from typing import TYPE_CHECKING

import requests
from urllib3.exceptions import HTTPError, NewConnectionError

from orq_core.errors import APIConnectionError, ConnectError, OrqError
from orq_core.transports._body import read_all
from orq_core.transports._chunked import Chunks
from orq_core.transports._environment import causes_of, place_of, reason_of
from orq_core.transports._framing import WITHOUT_BODY
from orq_core.transports._overdue import reached

if TYPE_CHECKING:
    from collections.abc import Mapping
    from http.client import HTTPResponse

    from urllib3.response import HTTPResponse as Raw

    from orq_core.limits import Limits
    from orq_core.transports import HttpRequest
    from orq_core.transports._reader import LimitedReader

FAILURES = (requests.RequestException, HTTPError, HTTPException, OSError)
_PIECE = 65536


class RequestsResponse:
    """An answer whose head has arrived."""

    def __init__(self, raw: Raw, http: HttpRequest, max_bytes: int) -> None:
        """Read from urllib3's response, by the request's limits."""
        self.status: int = raw.status
        self.headers: Mapping[str, str] = raw.headers
        self._raw = raw
        self._http = http
        self._limits: Limits = http.limits
        self._max_bytes = max_bytes
        original = getattr(raw, "_original_response", None)
        self._reader: LimitedReader | None = getattr(original, "reader", None)
        # What is not compressed needs nothing of urllib3's, which costs as much as all the rest.
        coded = self._reader is None or "content-encoding" in raw.headers
        self._plain: HTTPResponse | None = None if coded else original
        if original is not None and self.status in WITHOUT_BODY:
            # `http.client` would wait for the chunks of it that a head may announce.
            original.chunked = False
        # Ctrl-C may come while it is held, and what is unwound then closes this.
        self._lock = threading.RLock()
        self._chunks = Chunks()
        self._drained = False
        self._surplus = False
        self._reading = False
        self._closed = False

    async def read(self) -> bytes:
        """Return the rest of the body; raises ResponseDecodeError past the size limit."""
        return await read_all(self, self._max_bytes)

    async def receive(self) -> bytes:
        """Return what has arrived, ``b""`` at the end."""
        with self._lock:
            closed = self._closed
            self._reading = not closed
        if closed:
            raise _closed_here()
        try:
            if self._reader is None:
                _set_timeout(self._raw, self._limits.remaining())
            data = self._read()
        except OrqError:
            raise
        except (*FAILURES, ValueError) as error:
            if self._closed:
                raise _closed_here() from error
            raise failure(error, self._http) from error
        finally:
            with self._lock:
                # Another thread, or a signal's handler, may have closed this meanwhile.
                self._reading, closed = False, self._closed
            if closed:
                self._release(drop=True)
        if closed:
            raise _closed_here()
        return data

    def _read(self) -> bytes:
        """Receive what the next piece of content needs."""
        answer, reader = self._plain, self._reader
        if answer is None or reader is None:
            return self._raw.read1(_PIECE, decode_content=True)
        if answer.chunked:
            while not self._chunks.ended:
                if not (received := self._received(answer, reader)):
                    raise IncompleteRead(received)
                if data := self._chunks.feed(received):
                    return data
        elif answer.length is None:
            # It ends with its connection.
            if not answer.isclosed() and (data := self._received(answer, reader)):
                return data
        elif left := answer.length:
            if not (data := self._received(answer, reader)):
                raise IncompleteRead(data, left)
            if len(data) > left:
                self._surplus, data = True, data[:left]
            answer.length -= len(data)
            return data
        elif not self._drained:
            self._surplus = self._drained = _has_more(answer, reader)
        answer.close()
        return b""

    def _received(self, answer: HTTPResponse, reader: LimitedReader) -> bytes:
        """Receive once, past the buffer that came with the head."""
        if self._drained:
            return reader.receive(_PIECE)
        self._drained = True
        # No buffer holds more than that.
        return answer.fp.read1(_PIECE)

    def close(self) -> None:
        """Give the connection back if the body is over, else drop it."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            reading = self._reading
        if reading:
            # Wakes the thread that reads; it will find the response closed.
            with contextlib.suppress(OSError, ValueError, RuntimeError):
                if self._reader is None:
                    self._raw.shutdown()
                else:
                    self._reader.interrupt()
        else:
            self._release(drop=not self._ends_here())

    def _release(self, *, drop: bool) -> None:
        """Let the pool have the connection, or a free place where it was."""
        with contextlib.suppress(HTTPError, OSError, ValueError):
            if drop:
                self._raw.close()
            self._raw.release_conn()

    def _ends_here(self) -> bool:
        """Tell whether the body's end has arrived already, without waiting for it."""
        if self._is_spoiled():
            return False
        if self._reader is None or self._raw.closed:
            return self._raw.closed
        self._reader.waits = False
        try:
            ended = not self._read()
        except (HTTPError, HTTPException, OSError, ValueError):
            return False
        return ended and not self._is_spoiled()

    def _is_spoiled(self) -> bool:
        """Tell whether there is more than the body; the next call would take it for its answer."""
        return self._surplus or bool(self._chunks.rest)


def _has_more(answer: HTTPResponse, reader: LimitedReader) -> bool:
    """Tell whether bytes have arrived that follow an answer without a body."""
    if answer.isclosed():
        return False
    reader.waits = False
    try:
        return bool(answer.fp.peek(1))
    except OSError:
        return False


def _set_timeout(raw: Raw, seconds: float | None) -> None:
    """Bound the next read of a connection that is not of our making."""
    sock = getattr(getattr(raw, "connection", None), "sock", None)
    if sock is None:
        # A connection that the server will close has handed its socket over to the answer.
        buffer = getattr(getattr(raw, "_original_response", None), "fp", None)
        sock = getattr(getattr(buffer, "raw", None), "_sock", None)
    if sock is not None:
        sock.settimeout(seconds)


def _closed_here() -> APIConnectionError:
    return APIConnectionError("the response was closed while it was being read")


def failure(
    error: Exception,
    http: HttpRequest,
    proxy: str | None = None,
    connect_at: float | None = None,
) -> OrqError:
    """Say what a backend's exception means.

    ``connect_at``: when a session of the caller's must have connected; it does not say when it has.
    """
    limits = http.limits
    reason = reason_of(error)
    timed_out = isinstance(error, (TimeoutError, requests.Timeout)) or "imeout" in reason
    unmade = isinstance(error, requests.ConnectTimeout)
    if unmade and reached(limits, connect_at):
        limits.phase, limits.phase_at = "connect", connect_at
        return limits.error()
    nearest = limits.next_at
    if (timed_out and reached(limits, nearest)) or (nearest and limits.clock() >= nearest):
        return limits.error()
    place, reason = place_of(http.url, proxy), "timed out" if timed_out else reason
    unmade = unmade or any(isinstance(cause, NewConnectionError) for cause in causes_of(error))
    if limits.phase == "connect" or unmade:
        return ConnectError(f"could not connect to {place}: {reason}")
    return APIConnectionError(f"the connection to {place} failed: {reason}")
