"""From bytes to items: which kind of answer arrived, and the rules of a stream (sans-I/O)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from orq_core._accumulate import Accumulator, chunks_of
from orq_core._json import loads, loads_object
from orq_core._sse import Decoder, EventTooLarge
from orq_core.errors import APIStreamError, OrqError, ResponseDecodeError, StreamTruncatedError
from orq_core.errors._body import describe
from orq_core.models import ChatCompletion, ChatCompletionChunk

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cattrs import Converter

    from orq_core._sse import Event
    from orq_core.call import Item

_DONE = b"[DONE]"
_BLANK = b" \t\r\n"
_BOM = b"\xef\xbb\xbf"
_IGNORED_EVENTS = frozenset({"ping", "keepalive", "heartbeat"})


def is_json(head: bytes) -> bool | None:
    """Tell by an answer's first bytes whether it is JSON; None: not enough bytes to say.

    The content type is not asked: gateways send either kind under either name. No line of an
    event stream that means anything begins with a brace, a bracket or a ``<``.
    """
    start = head.removeprefix(_BOM).lstrip(_BLANK)
    if not start or _BOM.startswith(start):
        return None
    return start[:1] in b'{[<"'


class StreamReader:
    """Turns the bytes of an event stream into chunks; keeps what ends it.

    After each `feed`, ``done`` says that the stream is over (``[DONE]`` or an error), ``error``
    why it is not a good end. Chunks that arrived before an error are returned first.
    """

    def __init__(self, converter: Converter, *, max_event_bytes: int) -> None:
        """Read from the beginning of a stream."""
        self._structure = converter.get_structure_hook(ChatCompletionChunk)
        self._decoder = Decoder(max_event_bytes=max_event_bytes)
        self._open: set[int | None] = set()
        self._finished: set[int | None] = set()
        self.delivered = 0
        self.done = False
        self.error: OrqError | None = None

    def feed(self, data: bytes) -> list[ChatCompletionChunk]:
        """Take bytes as they arrived and return the chunks that are complete."""
        try:
            events = self._decoder.feed(data)
        except EventTooLarge as error:
            chunks = self._read(error.events)
            if not self.done:
                self._fail(ResponseDecodeError(f"an event of the stream is too large: {error}"))
            return chunks
        return self._read(events)

    def end(self) -> list[ChatCompletionChunk]:
        """Take the end of the body; an unfinished answer leaves a StreamTruncatedError."""
        chunks = self._read(self._decoder.flush())
        if not self.done and not self.complete:
            self._fail(
                StreamTruncatedError(
                    "the stream ended without finish_reason and without [DONE]",
                    delivered=self.delivered,
                ),
            )
        self.done = True
        return chunks

    @property
    def complete(self) -> bool:
        """Whether every choice seen so far has said why it ended."""
        return bool(self._finished) and not self._open

    def _fail(self, error: OrqError) -> None:
        self.done, self.error = True, error

    def _read(self, events: list[Event]) -> list[ChatCompletionChunk]:
        chunks: list[ChatCompletionChunk] = []
        for event in events:
            chunk = self._one(event)
            if chunk is not None:
                chunks.append(chunk)
                self.delivered += 1
                self._watch(chunk)
            if self.done:
                break
        return chunks

    def _one(self, event: Event) -> ChatCompletionChunk | None:
        data = event.data
        if data is None or event.event == "error":
            self._refuse(event.fields.get("error", b"") if data is None else data)
            return None
        if data.strip() == _DONE:
            self.done = True
            return None
        if not data or event.event in _IGNORED_EVENTS:
            return None
        try:
            body = loads_object(data)
        except ValueError as error:
            self._undecodable(error)
            return None
        if body.get("error"):
            self._refuse(body)
            if not body.get("choices"):
                return None
        chunk: ChatCompletionChunk = self._structure(body, ChatCompletionChunk)
        return chunk

    def _undecodable(self, cause: ValueError) -> None:
        error = ResponseDecodeError(
            f"event {self.delivered + 1} of the stream is not a JSON object",
            delivered=self.delivered,
        )
        error.__cause__ = cause
        self._fail(error)

    def _refuse(self, data: Any) -> None:
        body = data
        if isinstance(data, (bytes, str)):
            try:
                body = loads(data)
            except ValueError:
                body = data.decode("utf-8", "replace") if isinstance(data, bytes) else data
        told = describe(body)
        self._fail(
            APIStreamError(
                f"the stream carried an error: {told.message}",
                code=told.code,
                type=told.type,
                param=told.param,
                status_code=told.status,
                body=body,
                delivered=self.delivered,
                request_id=told.request_id,
            ),
        )

    def _watch(self, chunk: ChatCompletionChunk) -> None:
        for choice in chunk.choices:
            if choice.finish_reason:
                self._finished.add(choice.index)
                self._open.discard(choice.index)
            elif choice.index not in self._finished:
                self._open.add(choice.index)


class AnswerReader:
    """Reads one answer, whichever kind arrives, as the kind the caller asked for.

    The same feed/end/done/error protocol as `StreamReader`; items are chunks when ``stream``,
    else one completion.
    """

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
        self._events = StreamReader(converter, max_event_bytes=max_bytes)
        self._pieces: list[bytes] = []
        self._size = 0
        self._json: bool | None = None
        self._collected: list[ChatCompletionChunk] = []
        self.done = False
        self.error: OrqError | None = None

    @property
    def is_events(self) -> bool:
        """Whether this turned out to be an event stream."""
        return self._json is False

    @property
    def complete(self) -> bool:
        """Whether everything that matters has arrived although the body goes on."""
        return self.is_events and self._events.complete

    @property
    def delivered(self) -> int:
        """How many events were read."""
        return self._events.delivered

    def feed(self, data: bytes) -> Sequence[Item]:
        """Take bytes as they arrived and return the items that are complete."""
        if self._json is False:
            return self._passed(self._events.feed(data))
        self._pieces.append(data)
        self._size += len(data)
        if self._json is None:
            head = b"".join(self._pieces)
            self._json = is_json(head)
            if self._json is False:
                self._pieces.clear()
                return self._passed(self._events.feed(head))
            # White space sent to keep the connection open is not looked at again and again.
            self._pieces = [head if self._json else head.lstrip(_BLANK)]
        if self._size > self._max_bytes:
            raise ResponseDecodeError(
                f"the answer is larger than {self._max_bytes} bytes",
                status_code=self._status,
            )
        return ()

    def end(self) -> Sequence[Item]:
        """Take the end of the body."""
        if self._json is False or (self._json is None and self._stream):
            return self._passed(self._events.end())
        self.done = True
        completion = read_completion(self._converter, b"".join(self._pieces), self._status)
        return chunks_of(completion) if self._stream else (completion,)

    def _passed(self, chunks: list[ChatCompletionChunk]) -> Sequence[Item]:
        self.done, self.error = self._events.done, self._events.error
        if self._stream:
            return chunks
        self._collected += chunks
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
        for chunk in self._collected:
            accumulator.add(chunk)
        return accumulator.completion()


def read_completion(converter: Converter, body: bytes, status: int) -> ChatCompletion:
    """Read a whole JSON answer.

    Raises APIStreamError for an error object inside a 200, ResponseDecodeError, which keeps the
    body, for anything else that is no completion.
    """
    try:
        parsed = loads_object(body)
    except ValueError as error:
        raise ResponseDecodeError(
            f"the answer (status {status}) can't be read: {error}",
            status_code=status,
            body=body,
        ) from error
    if parsed.get("error") and not parsed.get("choices"):
        told = describe(parsed)
        raise APIStreamError(
            f"the answer has status {status} and carries an error: {told.message}",
            code=told.code,
            type=told.type,
            param=told.param,
            status_code=told.status,
            body=parsed,
            request_id=told.request_id,
        )
    return converter.structure(parsed, ChatCompletion)
