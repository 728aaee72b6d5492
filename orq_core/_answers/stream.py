"""The rules of an event stream: what is an item, and what ends it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from orq_core._accumulate.folding import place
from orq_core._answers.template import Templates, unfolded
from orq_core._json import loads, loads_object
from orq_core._sse import Decoder, Event, EventTooLargeError
from orq_core.errors import APIStreamError, OrqError, ResponseDecodeError, StreamTruncatedError
from orq_core.errors._body import describe
from orq_core.models import ChatCompletionChunk

if TYPE_CHECKING:
    from cattrs import Converter

    from orq_core._answers.template import Piece
    from orq_core._sse import Block

_DONE = b"[DONE]"
_TOGETHER = 32  # one that is different costs its neighbours their shortcut
_WORTHWHILE = 4
_NOTHING = b"", b"null"  # what some servers send to keep a connection open
_IGNORED_EVENTS = frozenset({"ping", "keepalive", "heartbeat"})


class StreamReader:
    """Turns the bytes of an event stream into chunks; keeps what ends it.

    After each `read`, ``done`` says that the stream is over (``[DONE]`` or an error), ``error``
    why it is not a good end. Chunks that arrived before an error are returned first.
    """

    __slots__ = (
        "_finished",
        "_structure",
        "decoder",
        "delivered",
        "done",
        "error",
        "templates",
    )

    def __init__(self, converter: Converter, *, max_event_bytes: int) -> None:
        """Read from the beginning of a stream."""
        self._structure = converter.get_structure_hook(ChatCompletionChunk)
        self.templates = Templates(converter)
        self.decoder = Decoder(max_event_bytes=max_event_bytes)
        self._finished: dict[int | str, bool] = {}  # each choice seen, and whether it has ended
        self.delivered = 0
        self.done = False
        self.error: OrqError | None = None

    def read(self, data: bytes) -> list[Piece]:
        """Take bytes as they arrived and return what the complete chunks are made of."""
        try:
            blocks = self.decoder.blocks(data)
        except EventTooLargeError as error:
            pieces = self._read(error.blocks)
            if not self.done:
                self._fail(ResponseDecodeError(f"an event of the stream is too large: {error}"))
            return pieces
        if len(blocks) == 1 and isinstance(blocks[0], bytes):
            # What arrives of a stream that is not in a hurry.
            piece = self.templates.find(blocks[0])
            if piece is not None:
                self.delivered += 1
                return [piece]
        return self._read(blocks)

    def end(self) -> list[ChatCompletionChunk]:
        """Take the end of the body; an unfinished answer leaves a StreamTruncatedError."""
        pieces = self._read(self.decoder.flush())
        if not self.done and not self.complete:
            self._fail(
                StreamTruncatedError(
                    "the stream ended without finish_reason and without [DONE]",
                    delivered=self.delivered,
                ),
            )
        self.done = True
        return [*unfolded(pieces)]

    @property
    def complete(self) -> bool:
        """Whether every choice seen so far has said why it ended."""
        return bool(self._finished) and all(self._finished.values())

    def _fail(self, error: OrqError) -> None:
        self.done, self.error = True, error

    def _read(self, blocks: list[Block]) -> list[Piece]:
        pieces: list[Piece] = []
        if len(blocks) < _WORTHWHILE:
            self._each(blocks, pieces)
            return pieces
        for at in range(0, len(blocks), _TOGETHER):
            some = blocks[at : at + _TOGETHER]
            run = self.templates.run(some) if len(some) >= _WORTHWHILE else None
            if run is not None:
                pieces.append(run)
                self.delivered += len(run[1])
            else:
                self._each(some, pieces)
            if self.done:
                break
        return pieces

    def _each(self, blocks: list[Block], pieces: list[Piece]) -> None:
        find = self.templates.find
        for block in blocks:
            piece = find(block) if isinstance(block, bytes) else None
            if piece is None:
                piece = self._one(block)
                if piece is not None:
                    self._watch(piece)
            if piece is not None:
                pieces.append(piece)
                self.delivered += 1
            if self.done:
                break

    def _one(self, block: Block) -> ChatCompletionChunk | None:
        event = Event(block) if isinstance(block, bytes) else block
        data = event.data
        if data is None or event.event == "error":
            self._refuse(event.fields.get("error", b"") if data is None else data)
            return None
        said = data.strip()
        if said == _DONE:
            self.done = True
            return None
        if said in _NOTHING or event.event in _IGNORED_EVENTS:
            return None
        try:
            body = loads_object(data)
        except ValueError as error:
            self._undecodable(error, data)
            return None
        if body.get("error"):
            self._refuse(body)
            if not body.get("choices"):
                return None
        elif event is not block and self.delivered:
            # The first event is waited for, and seldom like the others.
            self.templates.learn(data, body)
        chunk: ChatCompletionChunk = self._structure(body, ChatCompletionChunk)
        return chunk

    def _undecodable(self, cause: ValueError, data: bytes) -> None:
        error = ResponseDecodeError(
            f"event {self.delivered + 1} of the stream is not a JSON object",
            body=data,
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
        for position, choice in enumerate(chunk.choices):
            index: Any = choice.index
            if not isinstance(index, int):
                index = place(index, position)
            if choice.finish_reason:
                self._finished[index] = True
            else:
                self._finished.setdefault(index, False)
