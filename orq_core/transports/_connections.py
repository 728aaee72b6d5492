"""Connections for urllib3 whose every wait ends at the limits of the call that uses them.

urllib3 grants each step of a call its own time; here each asks the call's limits what is left.
"""

from __future__ import annotations

import http.client
import io
import queue
import ssl
import threading
from contextlib import contextmanager, suppress
from email.errors import FirstHeaderLineIsContinuationDefect, MissingHeaderBodySeparatorDefect
from typing import TYPE_CHECKING, Any, cast

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import NewConnectionError
from urllib3.util.connection import allowed_gai_family

from orq_core.transports._dial import dial
from orq_core.transports._head import begin, parse_headers
from orq_core.transports._reader import LimitedReader
from orq_core.transports._underway import closed

if TYPE_CHECKING:
    import socket
    from collections.abc import Generator

    from orq_core.limits import Limits
    from orq_core.transports._underway import Underway

_BUFFER = 65536
_BROKEN = (FirstHeaderLineIsContinuationDefect, MissingHeaderBodySeparatorDefect)
_current = threading.local()


@contextmanager
def using(limits: Limits, underway: Underway) -> Generator[None, None, None]:
    """Bind the connection used by this thread to a call's limits, and to its transport's end.

    urllib3 hands no object of ours from its pool to its connections, so the thread carries them.
    """
    _current.limits, _current.underway = limits, underway
    try:
        yield
    finally:
        _current.limits = _current.underway = None


def _limits() -> Limits | None:
    return getattr(_current, "limits", None)


class _Response(http.client.HTTPResponse):
    """Reads its head and body through a `LimitedReader`."""

    reader: LimitedReader | None = None

    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        _current.response = self
        limits = _limits()
        if limits is not None:
            self.reader = LimitedReader(sock, limits, self.fp)
            self.fp = io.BufferedReader(self.reader, _BUFFER)

    def begin(self) -> None:
        """Read the head; `http.client` takes a cut or broken one for a shorter one."""
        begin(self)
        if self.reader is not None and self.reader.ended:
            raise http.client.IncompleteRead(b"")
        if any(isinstance(each, _BROKEN) for each in self.msg.defects):
            raise http.client.HTTPException("a line of the head is no header")

    def _read_status(self) -> tuple[str, int, str]:
        """Pass over interim answers; `http.client` takes each but 100 for the final one."""
        while True:
            line: tuple[str, int, str] = cast("Any", super())._read_status()  # noqa: SLF001 - `http.client` has no public way to pass over interim answers
            if not 100 <= line[1] < 200 or line[1] == http.client.SWITCHING_PROTOCOLS:
                return line
            parse_headers(self.fp)

    def _read_next_chunk_size(self) -> int:
        """Refuse a negative size, with which `http.client` reads on to the end."""
        size: int = cast("Any", super())._read_next_chunk_size()  # noqa: SLF001 - `http.client` reads the size there and has no public way to look at it
        if size < 0:
            raise ValueError("a chunk of negative size")
        return size


class _Limited(HTTPConnection):
    """Tells the limits when it is connected and when the request is out."""

    response_class = _Response
    _held: list[bytes] | None = None

    def connect(self) -> None:
        super().connect()
        limits = self._enter()
        if limits is not None:
            self.sock.settimeout(limits.remaining())

    def _new_conn(self) -> socket.socket:
        """Connect within the call's limit; urllib3 grants it to each address of a name anew."""
        limits = _limits()
        if limits is None:
            return super()._new_conn()
        try:
            return dial(
                self._dns_host.strip("[]"),
                self.port,
                limits,
                family=allowed_gai_family(),
                options=self.socket_options or (),
            )
        except UnicodeError as error:
            raise NewConnectionError(self, "a label of the name is empty or too long") from error
        except OSError as error:
            raise NewConnectionError(self, "no address of the name answered") from error

    def request(self, *args: Any, **kwargs: Any) -> None:
        if self.sock is not None and (limits := self._enter()) is not None:
            # urllib3 puts this on the socket anew, and what it has is the limit of connecting.
            self.timeout = limits.remaining()
        # A server that leaves before it has read all of a request may have said why.
        with suppress(ssl.SSLEOFError):
            self._held = []
            try:
                super().request(*args, **kwargs)
                held, self._held = self._held, None
                for data in _joined(held):
                    self.send(data)
            finally:
                self._held = None
        self._enter()

    def send(self, data: Any) -> None:
        """Send; head and body of a request go together, which wakes the server once."""
        if self._held is None:
            super().send(data)
        else:
            self._held.append(data)

    def getresponse(self) -> Any:
        """Read the head; urllib3 drops an answer that it refuses, and its socket stays open."""
        underway: Underway | None = getattr(_current, "underway", None)
        try:
            if underway is not None:
                underway.ask(self)
            return super().getresponse()
        except BaseException as error:
            response = getattr(_current, "response", None)
            if response is not None:
                response.close()
            if underway is not None and underway.ended and isinstance(error, Exception):
                raise closed() from error
            raise
        finally:
            _current.response = None
            if underway is not None:
                underway.answered(self)

    @staticmethod
    def _enter() -> Limits | None:
        limits = _limits()
        if limits is not None:
            limits.enter("first_event")
            limits.remaining()
        return limits


def _joined(held: list[bytes]) -> list[bytes]:
    """Put small pieces together; a large body is not copied for it."""
    return [b"".join(held)] if sum(map(len, held)) <= _BUFFER else held


class _LimitedTls(_Limited, HTTPSConnection):
    pass


class _Idle(queue.LifoQueue[Any]):
    """Idle connections.

    A stream that the cycle collector drops gives its connection back wherever its thread happens to
    be, and that may be inside this very queue.
    """

    def __init__(self, maxsize: int = 0) -> None:
        super().__init__(maxsize)
        self.mutex = threading.RLock()  # type: ignore[assignment]  # declared to be a Lock, of which `queue` uses only what an RLock has too
        self.not_empty = threading.Condition(self.mutex)
        self.not_full = threading.Condition(self.mutex)
        self.all_tasks_done = threading.Condition(self.mutex)


class LimitedPool(HTTPConnectionPool):
    """A pool of such connections; a call waits for a free one as long as for a new one."""

    ConnectionCls: Any = _Limited
    QueueCls: Any = _Idle

    def _get_conn(self, timeout: float | None = None) -> Any:
        limits = _limits()
        return super()._get_conn(timeout if limits is None else limits.remaining())


class LimitedTlsPool(LimitedPool, HTTPSConnectionPool):
    """A pool of such connections, with TLS."""

    ConnectionCls: Any = _LimitedTls
