"""The chunked transfer coding, RFC 9112 section 7.1, sans-I/O.

`http.client` returns one chunk for each read, and servers write each event as a chunk of its own.
Undone for all bytes that have arrived, a stream of such events takes half the time.
"""

from __future__ import annotations

import re

_SIZE = re.compile(rb"[0-9A-Fa-f]{1,16}")
_HEAD = re.compile(rb"([0-9A-Fa-f]{1,16})\r\n")
_LONGEST_LINE = 8192  # bytes of a size with its extensions, or of a trailer
_MOST_TRAILERS = 100


class BadFramingError(ValueError):
    """The bytes are not chunks."""


class Chunks:
    """Takes bytes in any division, returns the content; ``rest`` is what follows the last chunk."""

    def __init__(self) -> None:
        """Begin a body."""
        self.ended = False
        self.rest = b""
        self._left = 0  # bytes of the current chunk that have not come, its line end excluded
        self._inside = False  # a chunk has begun, and its line end has not been seen
        self._line = b""  # the beginning of a line, or of a chunk's line end
        self._trailers = -1  # of them so far; negative before the last chunk

    @property
    def between(self) -> bool:
        """Whether a chunk begins with the next byte."""
        return not (self._inside or self._line or self._trailers >= 0)

    def feed(self, data: bytes) -> bytes:
        """Return the content of these bytes. Raises BadFramingError."""
        if self._line:
            data, self._line = self._line + data, b""
        content: list[bytes] = []
        at, end = 0, len(data)
        while at < end and not self.ended:
            between = not self._inside and self._trailers < 0
            while between and (head := _HEAD.match(data, at)) is not None:
                # Chunks that are complete take half of the time.
                begin = head.end()
                stop = begin + int(head[1], 16)
                if stop == begin or not data.startswith(b"\r\n", stop):
                    break
                content.append(data[begin:stop])
                at = stop + 2
            if at < end:
                at = self._step(data, at, content)
        if self.ended:
            self.rest += data[at:]
        return content[0] if len(content) == 1 else b"".join(content)

    def _step(self, data: bytes, at: int, content: list[bytes]) -> int:
        """Take a piece of a chunk, or a line, at any place of a body; return where it ends."""
        if self._left:
            content.append(data[at : at + self._left])
            self._left -= len(content[-1])
            return at + len(content[-1])
        stop = data.find(b"\n", at)
        if stop < 0:
            if len(data) - at > _LONGEST_LINE:
                raise BadFramingError("a line of the framing is too long")
            self._line = data[at:]
            return len(data)
        line = data[at:stop].removesuffix(b"\r")
        if self._inside:
            if data[at:stop] != b"\r":
                raise BadFramingError("a chunk is longer than it said")
            self._inside = False
        elif self._trailers >= 0:
            self._trailer(line)
        else:
            self._begin(line)
        return stop + 1

    def _begin(self, line: bytes) -> None:
        size = line.partition(b";")[0].strip(b" \t")
        if not _SIZE.fullmatch(size) or len(line) > _LONGEST_LINE:
            raise BadFramingError("a chunk's size is no number")
        self._left = int(size, 16)
        if self._left:
            self._inside = True
        else:
            self._trailers = 0

    def _trailer(self, line: bytes) -> None:
        self._trailers += 1
        if not line:
            self.ended = True
        elif self._trailers > _MOST_TRAILERS:
            raise BadFramingError("too many trailers")
