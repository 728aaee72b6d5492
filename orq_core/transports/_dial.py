"""Making a TCP connection within one limit, whatever stands behind a name."""

from __future__ import annotations

import contextlib
import errno
import os
import queue
import selectors
import socket
import threading
import time
from itertools import chain, zip_longest
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from orq_core.limits import Limits

_HEAD_START = 0.25  # seconds, RFC 8305's "Connection Attempt Delay"
_UNDER_WAY = {0, errno.EINPROGRESS, errno.EWOULDBLOCK, getattr(errno, "WSAEWOULDBLOCK", 0)}
_Option = tuple[int, int, "int | bytes"]
_Address = tuple[Any, ...]


def dial(
    host: str,
    port: int,
    limits: Limits,
    *,
    family: int = socket.AF_UNSPEC,
    options: Iterable[_Option] = (),
) -> socket.socket:
    """Connect to the first of a name's addresses that answers ("Happy Eyeballs", RFC 8305).

    The addresses are tried in turn, each a quarter of a second after the one before, and all of
    them, with the name's resolution, within ``limits``, whose rest is then the socket's time-out.
    Raises APITimeoutError or OSError.
    """
    race = _Race(_interleaved(_resolve(host, port, family, limits)), tuple(options))
    try:
        return race.run(limits)
    finally:
        race.close()


def _resolve(host: str, port: int, family: int, limits: Limits) -> list[_Address]:
    left = limits.remaining()
    arguments = (host, port, family, socket.SOCK_STREAM)
    with contextlib.suppress(socket.gaierror):
        # An address needs no name server.
        return socket.getaddrinfo(*arguments, flags=socket.AI_NUMERICHOST)
    if left is None:
        return socket.getaddrinfo(*arguments)
    answers: queue.SimpleQueue[list[_Address] | Exception] = queue.SimpleQueue()

    def ask() -> None:
        try:
            answers.put(list(socket.getaddrinfo(*arguments)))
        except Exception as error:  # noqa: BLE001 - handed to the thread that waits for the answer, and raised there
            answers.put(error)

    # The system's resolver takes no time-out, so a thread waits for it that can be left behind.
    threading.Thread(target=ask, daemon=True, name="orq-resolve").start()
    try:
        answer = answers.get(timeout=left)
    except queue.Empty:
        raise limits.error() from None
    if isinstance(answer, Exception):
        raise answer
    return answer


def _interleaved(addresses: Sequence[_Address]) -> list[_Address]:
    """Let the families alternate, the resolver's favourite first."""
    families: dict[int, list[_Address]] = {}
    for address in addresses:
        families.setdefault(address[0], []).append(address)
    mixed = chain.from_iterable(zip_longest(*families.values()))
    return [address for address in mixed if address is not None]


class _Race:
    """Connections under way, of which the first to stand is kept."""

    def __init__(self, addresses: list[_Address], options: tuple[_Option, ...]) -> None:
        self._addresses = addresses
        self._options = options
        self._selector = selectors.DefaultSelector()
        self._failure = OSError("the name has no address")

    def run(self, limits: Limits) -> socket.socket:
        next_at = 0.0
        while True:
            left = limits.remaining()
            running = bool(self._selector.get_map())
            if not running and not self._addresses:
                raise self._failure
            pause = next_at - time.monotonic() if self._addresses else None
            if self._addresses and (not running or (pause is not None and pause <= 0)):
                self._start(self._addresses.pop(0))
                next_at = time.monotonic() + _HEAD_START
                continue
            waits = [each for each in (left, pause) if each is not None]
            for key, _ in self._selector.select(min(waits, default=None)):
                if (winner := self._settled(key.fileobj, limits)) is not None:
                    return winner

    def _start(self, address: _Address) -> None:
        family, kind, protocol, _, place = address
        try:
            sock = socket.socket(family, kind, protocol)
        except OSError as error:
            self._failure = error
            return
        try:
            for option in self._options:
                sock.setsockopt(*option)
            sock.setblocking(False)
            self._check(sock.connect_ex(place))
            self._selector.register(sock, selectors.EVENT_WRITE)
        except BaseException as error:
            sock.close()
            if not isinstance(error, OSError):
                raise
            self._failure = error

    def _settled(self, sock: Any, limits: Limits) -> socket.socket | None:
        self._selector.unregister(sock)
        try:
            self._check(sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))
            # A server that resets at once leaves nothing that could be spoken to.
            sock.getpeername()
            sock.settimeout(limits.remaining())
        except BaseException as error:
            sock.close()
            if not isinstance(error, OSError):
                raise
            self._failure = error
            return None
        winner: socket.socket = sock
        return winner

    @staticmethod
    def _check(code: int) -> None:
        if code not in _UNDER_WAY:
            raise OSError(code, os.strerror(code))

    def close(self) -> None:
        for key in list(self._selector.get_map().values()):
            cast("socket.socket", key.fileobj).close()
        self._selector.close()
