"""What stands before aiohttp's protocol for one exchange, and keeps most bodies from it.

aiohttp's parser makes several calls of Python for each chunk of a body, and servers write each
event as a chunk: that is a third of what an event costs. Here aiohttp reads the heads, and the
bodies that are compressed.
"""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Any

from orq_core.transports._aiohttp_body import Body
from orq_core.transports._framing import WITHOUT_BODY

if TYPE_CHECKING:
    from aiohttp.http import RawResponseMessage

LONGEST_LINE = 65536  # of a head, in bytes: what the blocking transport takes too
_BEGINNING = b"HTTP/"
_BLANK_LINE = re.compile(rb"\n\r?\n")
_LONGEST_HEAD = 2**18  # bytes; what is longer is left to aiohttp, which has limits of its own
_LENGTH = re.compile(r"[0-9]{1,18}")


def parse_answer(handler: Any, *, with_body: bool) -> None:
    """Let aiohttp's protocol read one answer, or nothing but its head."""
    handler.set_response_params(
        read_until_eof=True,
        skip_payload=not with_body,
        max_line_size=LONGEST_LINE,
        max_field_size=LONGEST_LINE,
    )


class Front(asyncio.Protocol):
    """Hands heads to aiohttp's protocol one by one, and what follows them to a `Body`."""

    __slots__ = ("_body", "_handler", "_head", "_lost", "_paused", "_pending", "_transport", "left")

    def __init__(self, handler: Any) -> None:
        """Take the place of a connection's protocol."""
        self.left = False
        self._handler = handler
        self._transport: Any = handler.transport
        self._head = b""
        self._pending: bytes | None = None  # what follows a head that has not been looked at
        self._lost: tuple[Exception | None] | None = None
        self._body: Body | None = None
        self._paused = False
        self._transport.set_protocol(self)

    def expect(self) -> None:
        """Wait for a head."""
        parse_answer(self._handler, with_body=False)
        pending, self._head = self._waiting(), b""
        if pending:
            self.data_received(pending)

    def content(self, message: RawResponseMessage) -> Body | None:
        """Return the body of an answer whose head was read; None if aiohttp reads it once more."""
        pending = self._waiting()
        if message.compression or message.upgrade:
            self._leave_to_aiohttp(self._head + pending)
            return None
        lengths = message.headers.getall("Content-Length", ())
        length: int | None = None
        if message.code in WITHOUT_BODY:
            length = 0
        elif not message.chunked and lengths and _LENGTH.fullmatch(lengths[0]):
            length = int(lengths[0])
        body = self._body = Body(self._transport, length, chunked=message.chunked)
        if length is None and not message.chunked:
            self._handler.force_close()
        self._feed(body, pending)
        self._settle()
        return body

    def _waiting(self) -> bytes:
        """Take what came behind the head, and let more come."""
        pending, self._pending = self._pending or b"", None
        if self._paused:
            self._paused = False
            self._transport.resume_reading()
        return pending

    def _leave_to_aiohttp(self, data: bytes) -> None:
        parse_answer(self._handler, with_body=True)
        self._handler.data_received(data)
        self.leave()

    def leave(self) -> None:
        """Give the protocol its place back."""
        if not self.left:
            self.left = True
            self._transport.set_protocol(self._handler)
            self._settle()

    def _settle(self) -> None:
        """Tell of an end that came while a head was looked at."""
        if self._lost is not None:
            (error,), self._lost = self._lost, None
            if self._body is not None:
                self._body.lost(error)
            self._handler.connection_lost(error)

    def data_received(self, data: bytes) -> None:
        """Take bytes as they arrived."""
        if self._body is not None:
            self._feed(self._body, data)
        elif self._pending is not None:
            self._pending += data
            if len(self._pending) > _LONGEST_HEAD:
                self._paused = True
                self._transport.pause_reading()
        else:
            before = len(self._head)
            # Line ends before a head are no part of it.
            self._head = self._head + data if before else data.lstrip(b"\r\n")
            if not self._head.startswith(_BEGINNING[: len(self._head)]):
                # Of what is no HTTP aiohttp knows at once how it goes on.
                self._leave_to_aiohttp(self._head)
                return
            blank = _BLANK_LINE.search(self._head, max(0, before - 2))
            if blank is not None:
                self._head, self._pending = self._head[: blank.end()], self._head[blank.end() :]
                self._handler.data_received(self._head)
            elif len(self._head) > _LONGEST_HEAD:
                self._leave_to_aiohttp(self._head)

    def _feed(self, body: Body, data: bytes) -> None:
        if body.feed(data):
            # The next request would take it for the beginning of its answer.
            self._handler.force_close()
        if body.ended:
            self.leave()
            body.end()

    def eof_received(self) -> bool | None:
        """Let the transport close itself."""
        self._handler.eof_received()
        return None

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell who waits; aiohttp not before the head that it has read was looked at."""
        self._lost = (exc,)
        if self._pending is None:
            self._settle()

    def pause_writing(self) -> None:
        """Pass it on."""
        self._handler.pause_writing()

    def resume_writing(self) -> None:
        """Pass it on."""
        self._handler.resume_writing()
