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
        # Ctrl-C may come while it is held, and what is unwound then closes this.
        self._lock = threading.RLock()
        self._chunks = Chunks()
        self._drained = False
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
        answer = self._plain
        if answer is None:
            return self._raw.read1(_PIECE, decode_content=True)
        if answer.chunked:
            reader = self._reader if self._drained else None
            while not self._chunks.ended:
                if reader is not None:
                    received = reader.receive(_PIECE)
                else:
                    received = answer.fp.read1(_PIECE)
                    # No buffer holds more than that.
                    self._drained, reader = True, self._reader
                if not received:
                    raise IncompleteRead(received)
                if data := self._chunks.feed(received):
                    return data
        elif data := answer.read1(_PIECE):
            return data
        elif answer.length:
            raise IncompleteRead(data, answer.length)
        answer.close()
        return b""

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
                self._raw.shutdown()
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
        if self._chunks.rest:
            # The next call would take it for the beginning of its answer.
            return False
        if self._reader is None or self._raw.closed:
            return self._raw.closed
        self._reader.waits = False
        try:
            return not self._read() and not self._chunks.rest
        except (HTTPError, HTTPException, OSError, ValueError):
            return False


def _set_timeout(raw: Raw, seconds: float | None) -> None:
    """Bound the next read of a connection that is not of our making."""
    sock = getattr(getattr(raw, "connection", None), "sock", None)
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
