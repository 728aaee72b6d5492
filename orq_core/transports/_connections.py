"""Connections for urllib3 whose every wait ends at the limits of the call that uses them.

A read time-out starts anew with each byte, so a server that drips its head or body would hold a
call for ever. Here each single receive asks the limits how long it may still take.
"""

from __future__ import annotations

import http.client
import io
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

if TYPE_CHECKING:
    import socket
    from collections.abc import Generator

    from typing_extensions import Buffer

    from orq_core.limits import Limits

_BUFFER = 65536
_current = threading.local()


@contextmanager
def using(limits: Limits) -> Generator[None, None, None]:
    """Bind the connection used by this thread to a call's limits.

    urllib3 hands no object of ours from its pool to its connections, so the thread carries it.
    """
    _current.limits = limits
    try:
        yield
    finally:
        _current.limits = None


class LimitedReader(io.RawIOBase):
    """Reads a socket; ``waits`` set to False, it fails where it would have to wait."""

    def __init__(self, sock: socket.socket, limits: Limits, owner: io.BufferedIOBase) -> None:
        """Read until closed; ``owner`` keeps the socket open and is closed with this."""
        self.waits = True
        self._sock = sock
        self._limits = limits
        self._owner = owner

    def readable(self) -> bool:
        """Say that this can be read."""
        return True

    def readinto(self, buffer: Buffer, /) -> int:
        """Receive once."""
        self._sock.settimeout(self._limits.remaining() if self.waits else 0.0)
        return self._sock.recv_into(buffer)

    def close(self) -> None:
        """Let go of the socket."""
        if not self.closed:
            super().close()
            self._owner.close()


class _Response(http.client.HTTPResponse):
    """Reads its head and body through a `LimitedReader`."""

    reader: LimitedReader | None = None

    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        limits: Limits | None = getattr(_current, "limits", None)
        if limits is not None:
            self.reader = LimitedReader(sock, limits, self.fp)
            self.fp = io.BufferedReader(self.reader, _BUFFER)


class _Limited(HTTPConnection):
    """Tells the limits when it is connected and when the request is out."""

    response_class = _Response

    def connect(self) -> None:
        super().connect()
        self._enter()

    def request(self, *args: Any, **kwargs: Any) -> None:
        if self.sock is not None:
            self._enter()
        super().request(*args, **kwargs)
        self._enter()

    def _enter(self) -> None:
        limits: Limits | None = getattr(_current, "limits", None)
        if limits is not None:
            limits.enter("first_event")
            self.sock.settimeout(limits.remaining())


class _LimitedTls(_Limited, HTTPSConnection):
    pass


class LimitedPool(HTTPConnectionPool):
    """A pool of such connections."""

    ConnectionCls: Any = _Limited


class LimitedTlsPool(HTTPSConnectionPool):
    """A pool of such connections, with TLS."""

    ConnectionCls: Any = _LimitedTls
