"""The body of an answer under asyncio, read without a step for each chunk of its coding."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import aiohttp

from orq_core.transports._chunked import BadFramingError, Chunks

if TYPE_CHECKING:
    from collections.abc import Callable

_MOST_WAITING = 2**17  # bytes that wait for their reader before no more are asked for


class Body:
    """What arrives of a body that is not compressed, with the names of `aiohttp.StreamReader`.

    ``left``: how many bytes it has, None for those of a chunked one or of one that ends with its
    connection.
    """

    __slots__ = (
        "_chunks",
        "_exception",
        "_left",
        "_over",
        "_paused",
        "_pieces",
        "_transport",
        "_waiter",
        "_waiting",
        "ended",
    )

    def __init__(self, transport: asyncio.Transport, left: int | None, *, chunked: bool) -> None:
        """Begin where the head ended."""
        self.ended = left == 0
        self._transport = transport
        self._left = left
        self._chunks = Chunks() if chunked else None
        self._pieces: list[bytes] = []
        self._waiting = 0
        self._waiter: asyncio.Future[None] | None = None
        self._over: Callable[[], None] | None = None
        self._exception: BaseException | None = None
        self._paused = False

    def feed(self, data: bytes) -> bool:
        """Take bytes as they arrived; tell whether some are no part of the body."""
        if self.ended or self._exception is not None:
            return bool(data)
        surplus = False
        if self._chunks is not None:
            try:
                data = self._chunks.feed(data)
            except BadFramingError as error:
                self._transport.close()
                self.set_exception(error)
                return True
            self.ended, surplus = self._chunks.ended, bool(self._chunks.rest)
        elif self._left is not None:
            surplus = len(data) > self._left
            data = data[: self._left] if surplus else data
            self._left -= len(data)
            self.ended = not self._left
        if data:
            self._pieces.append(data)
            self._waiting += len(data)
            if self._waiting > _MOST_WAITING and not self._paused and not self.ended:
                self._paused = True
                self._transport.pause_reading()
            self._wake()
        return surplus

    def lost(self, error: Exception | None) -> None:
        """Take the end of the connection."""
        if self.ended or self._exception is not None:
            return
        if error is None and self._chunks is None and self._left is None:
            self.ended = True
            self.end()
        else:
            broken = aiohttp.ClientPayloadError("the body is not complete")
            broken.__cause__ = error
            self.set_exception(broken)

    def at_eof(self) -> bool:
        """Tell whether all of it has been read."""
        return self.ended and not self._pieces

    async def readany(self) -> bytes:
        """Wait until something is there and return all of it, ``b""`` at the end."""
        while not self._pieces and not self.ended and self._exception is None:
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        pieces = self._pieces
        if not pieces and self._exception is not None:
            raise self._exception
        data = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        pieces.clear()
        self._waiting = 0
        self._resume()
        return data

    def exception(self) -> BaseException | None:
        """Return what ended it, if it was no good end."""
        return self._exception

    def set_exception(self, error: BaseException) -> None:
        """Fail who reads it."""
        self._exception = error
        self._over = None
        self._wake()

    def on_eof(self, over: Callable[[], None]) -> None:
        """Call a function once all has arrived, at once if it has."""
        self._over = over
        if self.ended:
            self.end()

    def end(self) -> None:
        """Tell who is interested that all has arrived."""
        self._resume()
        over, self._over = self._over, None
        if over is not None:
            over()
        self._wake()

    def _resume(self) -> None:
        if self._paused:
            self._paused = False
            self._transport.resume_reading()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
