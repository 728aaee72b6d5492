"""A socket's reader whose every wait ends at the limits of a call.

A read time-out starts anew with each byte, so a server that drips its head or body would hold a
call for ever. Here each single receive asks the limits how long it may still take.
"""

from __future__ import annotations

import io
import socket
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing_extensions import Buffer

    from orq_core.limits import Limits

_LATE = 0.02  # seconds that a limit may be noticed too late


class LimitedReader(io.RawIOBase):
    """Reads a socket; ``waits`` set to False, it fails where it would have to wait."""

    def __init__(self, sock: socket.socket, limits: Limits, owner: io.BufferedIOBase) -> None:
        """Read until closed; ``owner`` keeps the socket open and is closed with this."""
        self.waits = True
        self.ended = False
        self.held: bytes | Exception = b""  # what the next `receive` returns or raises, if anything
        self._sock = sock
        self._limits = limits
        self._owner = owner

    def readable(self) -> bool:
        """Say that this can be read."""
        return True

    def readinto(self, buffer: Buffer, /) -> int:
        """Receive once, for the buffer in front of this."""
        view = memoryview(buffer)
        data = self.receive(len(view))
        view[: len(data)] = data
        self.ended = not data
        return len(data)

    def receive(self, size: int) -> bytes:
        """Receive once, at most ``size`` bytes, past a buffer that must be empty.

        Telling the socket another time costs a system call, so a time that is somewhat too short
        stays, and is looked at again when it is over.
        """
        if self.held:
            return self._let_go()
        sock = self._sock
        if not self.waits:
            sock.settimeout(0.0)
            return sock.recv(size)
        while True:
            left = self._limits.remaining()
            told = sock.gettimeout()
            if left is None:
                if told is not None:
                    sock.settimeout(None)
            elif told is None or not left / 2 < told < left + _LATE:
                sock.settimeout(left)
            try:
                return sock.recv(size)
            except TimeoutError:
                # Raises where a limit was reached.
                if self._limits.remaining() is None:
                    raise

    def _let_go(self) -> bytes:
        held, self.held = self.held, b""
        try:
            if isinstance(held, Exception):
                raise held
            return held
        finally:
            # Its traceback refers to this frame.
            del held

    def interrupt(self) -> None:
        """Wake the thread that waits in `receive`; raises OSError where no connection is left."""
        shut_down(self._sock)

    def close(self) -> None:
        """Let go of the socket."""
        if not self.closed:
            super().close()
            self._owner.close()


def shut_down(sock: Any) -> None:
    """Wake whoever reads a socket; raises OSError where no connection is left."""
    # urllib3's socket for TLS within TLS can't be shut down, but the one beneath it can.
    (sock if hasattr(sock, "shutdown") else sock.socket).shutdown(socket.SHUT_RDWR)
