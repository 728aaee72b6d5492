"""One answer, whichever kind arrives, as the kind that was asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orq_core._accumulate import Accumulator, chunks_of
from orq_core._answers.completion import read_completion
from orq_core._answers.stream import StreamReader
from orq_core.errors import (
    APIConnectionError,
    OrqError,
    ResponseDecodeError,
    StreamInterruptedError,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cattrs import Converter

    from orq_core._answers.template import Piece
    from orq_core.call import Item
    from orq_core.models import ChatCompletion

_BLANK = b" \t\r\n"
_BOM = b"\xef\xbb\xbf"
_FIELDS = frozenset({b"data", b"event", b"id", b"retry", b"error"})
_LONGEST = 256  # bytes without a field that may yet be an event stream's


def is_json(head: bytes) -> bool | None:
    """Tell by an answer's first bytes whether to read it whole; None: not enough bytes to say.

    The content type is not asked: gateways send either kind under either name. No line of an
    event stream that means anything begins with a brace, a bracket, a quote or a ``<``, and one
    of its first lines is a comment or has a field's name; any text may have a colon.
    """
    start = head.removeprefix(_BOM).lstrip(_BLANK)
    if not start or _BOM.startswith(start):
        return None
    if start[:1] in b'{[<"':
        return True
    *lines, last = start[:_LONGEST].replace(b"\r", b"\n").split(b"\n")
    named = [line.partition(b":") for line in (*lines, last)]
    if any(colon and (not name or name in _FIELDS) for name, colon, _ in named):
        return False
    if lines and not named[0][1]:
        return lines[0] not in _FIELDS
    return True if len(start) > _LONGEST else None


class AnswerReader:
    """Reads one answer, whichever kind arrives, as the kind the caller asked for.

    The same read/end/done/error protocol as `StreamReader`; items are chunks when ``stream``,
    else one completion.
    """

    __slots__ = (
        "_collected",
        "_converter",
        "_json",
        "_max_bytes",
        "_pieces",
        "_size",
        "_status",
        "_stream",
        "done",
        "error",
        "events",
    )

    def __init__(
        self,
        converter: Converter,
        *,
        stream: bool,
        status: int,
        max_bytes: int,
    ) -> None:
        """Read from the beginning of a body; ``max_bytes`` bounds an event and a JSON answer."""
        self._converter = converter
        self._stream = stream
        self._status = status
        self._max_bytes = max_bytes
        self.events: StreamReader | None = None
        self._pieces: list[bytes] = []
        self._size = 0
        self._json: bool | None = None
        self._collected: list[Piece] | None = None
        self.done = False
        self.error: OrqError | None = None

    @property
    def is_events(self) -> bool:
        """Whether this turned out to be an event stream."""
        return self.events is not None

    @property
    def complete(self) -> bool:
        """Whether everything that matters has arrived although the body goes on."""
        return self.events is not None and self.events.complete

    @property
    def delivered(self) -> int:
        """How many events were read."""
        return 0 if self.events is None else self.events.delivered

    def read(self, data: bytes) -> Sequence[Item | Piece]:
        """Take bytes as they arrived and return what the complete items are made of."""
        events = self.events
        if events is not None:
            pieces = events.read(data)
            return pieces if self._stream and not events.done else self._passed(events, pieces)
        self._pieces.append(data)
        self._size += len(data)
        if self._json is None:
            head = b"".join(self._pieces)
            self._json = is_json(head)
            if self._json is False:
                self._pieces.clear()
                events = self._begin()
                return self._passed(events, events.read(head))
            # White space sent to keep the connection open is not looked at again and again.
            self._pieces = [head if self._json else head.lstrip(_BLANK)]
        if self._size > self._max_bytes:
            raise ResponseDecodeError(
                f"the answer is larger than {self._max_bytes} bytes",
                status_code=self._status,
            )
        return ()

    def end(self) -> Sequence[Item | Piece]:
        """Take the end of the body."""
        body = b"".join(self._pieces)
        if self.events is not None or (self._stream and not body.strip(_BLANK)):
            events = self.events or self._begin()
            return self._passed(events, events.end())
        self.done = True
        completion = read_completion(self._converter, body, self._status)
        return chunks_of(completion) if self._stream else (completion,)

    def broken(self, error: APIConnectionError) -> bytes:
        """Tell of a connection that broke; after the last word that is as good as its end."""
        if self.complete:
            return b""
        try:
            if self.events is None:
                raise error
            raise StreamInterruptedError(
                f"the connection broke after {self.events.delivered} events of the stream",
                partial=self.partial,
                delivered=self.events.delivered,
            ) from error
        finally:
            # Its traceback refers to this frame.
            del error

    def _begin(self) -> StreamReader:
        self.events = StreamReader(self._converter, max_event_bytes=self._max_bytes)
        return self.events

    def _passed(self, events: StreamReader, pieces: Sequence[Piece]) -> Sequence[Item | Piece]:
        if events.done:
            self.done, self.error = True, events.error
        if self._stream:
            return pieces
        self._collected = self._collected or []
        self._collected += pieces
        if not self.done:
            return ()
        completion = self.partial
        if completion is None and self.error is None:
            self.error = ResponseDecodeError(
                f"the answer (status {self._status}) is a stream without a single event",
                status_code=self._status,
            )
        return () if completion is None or self.error is not None else (completion,)

    @property
    def partial(self) -> ChatCompletion | None:
        """What was collected for a caller who did not ask for a stream."""
        if not self._collected:
            return None
        accumulator = Accumulator()
        for piece in self._collected:
            accumulator.take(piece)
        return accumulator.completion()
