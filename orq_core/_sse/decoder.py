"""From bytes to server-sent events, sans-I/O.

Follows the event-stream grammar of the WHATWG HTML standard, with two additions for what servers
of this kind really send: fields with other names are kept, and a block whose only content is a
field named ``error`` is an event.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from orq_core._sse.event import Event, EventTooLargeError, is_whole

if TYPE_CHECKING:
    from orq_core._sse.event import Block

_BOM = b"\xef\xbb\xbf"
_DATA = b"data: "
_RETRY_DIGITS = 18


class Decoder:
    """Takes bytes in any division, returns the events they complete.

    The time spent is linear in the number of bytes, however they are divided. ``last_event_id``
    and ``retry`` (milliseconds) are the stream's own; ``comments`` counts comment lines.
    """

    __slots__ = (
        "_after_cr",
        "_data",
        "_event",
        "_fields",
        "_head",
        "_id",
        "_pieces",
        "_pieces_size",
        "_retry",
        "_size",
        "comments",
        "last_event_id",
        "max_event_bytes",
        "retry",
    )

    def __init__(self, *, max_event_bytes: int = 64 * 2**20) -> None:
        """Begin a stream; one event may have up to ``max_event_bytes`` bytes."""
        self.last_event_id = ""
        self.retry: int | None = None
        self.comments = 0
        self.max_event_bytes = max_event_bytes
        self._head: bytes | None = b""  # the first bytes, until they can't be a BOM any more
        self._after_cr = False
        self._pieces: list[bytes] = []  # of the line that has no end yet
        self._pieces_size = 0
        self._begin()

    def _begin(self) -> None:
        self._data: list[bytes] = []
        self._size = 0
        self._event = b""
        self._id: str | None = None
        self._retry: int | None = None
        self._fields: dict[str, list[bytes]] = {}

    @property
    def pending(self) -> bool:
        """Whether a block or line has begun and has not ended."""
        return bool(self._data or self._fields or self._pieces or self._head)

    @property
    def between(self) -> bool:
        """Whether an event begins with the next byte, and is no more than its own lines say."""
        begun = self._size or self._pieces or self._after_cr or self._head is not None
        return not begun and not self.last_event_id

    def feed(self, data: bytes) -> list[Event]:
        """Take the next bytes. Raises EventTooLargeError, which ends the use of this decoder."""
        return [Event(each) if isinstance(each, bytes) else each for each in self.blocks(data)]

    def blocks(self, data: bytes) -> list[Block]:
        """Take the next bytes; of an event that is nothing but data, return the data alone.

        Raises EventTooLargeError, as `feed` does.
        """
        most = self.max_event_bytes
        if self.between and data.find(b"\n") == len(data) - 2 and len(data) <= most:
            # One line and a blank one: what a paced stream brings at a time, nothing but data.
            simple = data.startswith(_DATA) and b"\r" not in data
            if simple and data.endswith(b"\n"):
                return [data[len(_DATA) : -2]]
        if self._head is not None:
            data = self._head + data
            if len(data) < len(_BOM) and _BOM.startswith(data):
                self._head = data
                return []
            self._head = None
            data = data.removeprefix(_BOM)
        if self._after_cr and data:
            self._after_cr = False
            data = data.removeprefix(b"\n")
        if b"\r" in data:
            self._after_cr = data.endswith(b"\r")
            data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        blocks: list[Block] = []
        if self._pieces_size <= len(data) <= most and not self._size and b"\n\n" in data:
            # What is copied is no more than what has come, so the time stays linear.
            data = b"".join([*self._pieces, data])
            self._pieces.clear()
            self._pieces_size = 0
        elif self._pieces and b"\n" not in data:
            # A large event's line is looked through once, not for each thing that may end it.
            self._hold(data, blocks)
            return blocks
        elif self._size or self._pieces:
            end = data.find(b"\n\n") + 2
            if end < 2 or len(data) > most:
                end = len(data)
            self._lines(data[:end], blocks)
            data = data[end:]
        if data:
            self._whole(data, blocks)
        return blocks

    def _whole(self, data: bytes, blocks: list[Block]) -> None:
        """Take bytes that begin a block, cut at blank lines: half the time of cutting at each."""
        end = data.rfind(b"\n\n")
        simple = len(data) <= self.max_event_bytes and not self.last_event_id
        if end >= 0:
            body, data = data[:end], data[end + 2 :]
            parts = body[len(_DATA) :].split(b"\n\n" + _DATA)
            if simple and body.startswith(_DATA) and body.count(b"\n") == 2 * len(parts) - 2:
                # Each line is an event of its own, and nothing but data.
                blocks += parts
            else:
                self._mixed(body.split(b"\n\n"), blocks, simple=simple)
        if data:
            self._lines(data, blocks)

    def _mixed(self, parts: list[bytes], blocks: list[Block], *, simple: bool) -> None:
        for part in parts:
            if simple and part.startswith(_DATA) and b"\n" not in part and not self.last_event_id:
                blocks.append(part[len(_DATA) :])
            else:
                self._lines(part + b"\n\n", blocks)

    def flush(self) -> list[Block]:
        """Take the end of the stream: return the last event if only its blank line is missing.

        The standard discards such an event. It is returned here when it is certainly whole: a
        complete JSON value, ``[DONE]``, or other text whose last line has ended.
        """
        ended = not self._pieces and not self._head
        if self._head:
            self._pieces.append(self._head)
            self._head = None
        if self._pieces:
            self._line(b"".join(self._pieces))
            self._pieces.clear()
        content = self._data or self._fields.get("error", [])
        blocks: list[Block] = []
        if is_whole(b"\n".join(content), ended=ended):
            self._dispatch(blocks)
        self._begin()
        return blocks

    def _lines(self, data: bytes, blocks: list[Block]) -> None:
        lines = data.split(b"\n")
        rest = lines.pop()
        if lines and self._pieces:
            self._pieces.append(lines[0])
            if self._pieces[0].startswith(_DATA):
                # A large event is copied once.
                self._pieces[0] = self._pieces[0][len(_DATA) :]
                self._data.append(b"".join(self._pieces))
                self._size += len(self._data[-1]) + len(_DATA) + 1
                self._check(self._size, blocks)
                del lines[0]
            else:
                lines[0] = b"".join(self._pieces)
            self._pieces.clear()
            self._pieces_size = 0
        for line in lines:
            if not line:
                self._dispatch(blocks)
                continue
            self._line(line)
            self._check(self._size, blocks)
        if rest:
            self._hold(rest, blocks)

    def _hold(self, data: bytes, blocks: list[Block]) -> None:
        """Keep a piece of a line that has no end yet."""
        self._pieces.append(data)
        self._pieces_size += len(data)
        self._check(self._size + self._pieces_size, blocks)

    def _check(self, size: int, blocks: list[Block]) -> None:
        if size > self.max_event_bytes:
            raise EventTooLargeError(f"more than {self.max_event_bytes} bytes", blocks)

    def _line(self, line: bytes) -> None:
        if line.startswith(b"data:"):
            self._size += len(line) + 1
            self._data.append(line[6:] if line.startswith(b" ", 5) else line[5:])
        elif line.startswith(b":"):
            self.comments += 1
        else:
            self._size += len(line) + 1
            self._field(line)

    def _field(self, line: bytes) -> None:
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"data":
            self._data.append(value)
        elif name == b"event":
            self._event = value
        elif name == b"id":
            if b"\0" not in value:
                self._id = value.decode("utf-8", "replace")
        elif name == b"retry":
            # The bound keeps int() from refusing, or from taking long over, a line of digits.
            if value.isdigit() and len(value.lstrip(b"0")) <= _RETRY_DIGITS:
                self.retry = self._retry = int(value)
        else:
            self._fields.setdefault(name.decode("utf-8", "replace"), []).append(value)

    def _dispatch(self, blocks: list[Block]) -> None:
        if self._id is not None:
            self.last_event_id = self._id
        if self._data or "error" in self._fields:
            blocks.append(
                Event(
                    b"\n".join(self._data) if self._data else None,
                    self._event.decode("utf-8", "replace") or "message",
                    self.last_event_id,
                    self._retry,
                    {name: b"\n".join(values) for name, values in self._fields.items()},
                ),
            )
        self._begin()
