"""An answer of urllib3's, read past it where that is possible."""

from __future__ import annotations

import contextlib
import threading
from http.client import HTTPException, IncompleteRead
from typing import TYPE_CHECKING

from urllib3.exceptions import HTTPError

from orq_core.errors import OrqError
from orq_core.transports._body import read_all
from orq_core.transports._chunked import Chunks
from orq_core.transports._framing import WITHOUT_BODY
from orq_core.transports._requests_failure import FAILURES, closed_here, failure

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from http.client import HTTPResponse

    from urllib3.response import HTTPResponse as Raw

    from orq_core.limits import Limits
    from orq_core.transports import HttpRequest
    from orq_core.transports._reader import LimitedReader

_PIECE = 65536
_LONGEST_SIZE = 6  # bytes of a chunk's size, line end included, that may come in one piece


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
            raise closed_here()
        try:
            if self._reader is None:
                _set_timeout(self._raw, self._limits.remaining())
            data = self._read()
        except OrqError:
            raise
        except (*FAILURES, ValueError) as error:
            if self._closed:
                raise closed_here() from error
            raise failure(error, self._http) from error
        finally:
            with self._lock:
                # Another thread, or a signal's handler, may have closed this meanwhile.
                self._reading, closed = False, self._closed
            if closed:
                self._release(drop=True)
        if closed:
            raise closed_here()
        return data

    def singles(self) -> Iterator[bytes] | None:
        """Return what yields chunks that come one at a time; None where the body is none of them.

        It ends where anything else comes, which the next `receive` returns or raises.
        """
        answer, reader = self._plain, self._reader
        if answer is None or reader is None or not answer.chunked or not self._drained:
            return None
        return self._singles(reader) if self._chunks.between else None

    def _singles(self, reader: LimitedReader) -> Iterator[bytes]:
        while True:
            with self._lock:
                closed = self._closed
                self._reading = not closed
            if closed:
                return
            data = b""
            try:
                data = reader.receive(_PIECE)
            except TimeoutError:
                pass  # the limit is still over when it is looked at again
            except (*FAILURES, ValueError) as error:
                reader.held = error
            finally:
                with self._lock:
                    self._reading, closed = False, self._closed
                if closed:
                    self._release(drop=True)
            at = data.find(b"\r\n", 0, _LONGEST_SIZE)
            content = data[at + 2 : -2]
            if not content or data[:at] != b"%x" % len(content) or not data.endswith(b"\r\n"):
                reader.held = reader.held or data
                return
            yield content

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
