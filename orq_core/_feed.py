"""The one reader behind `Stream`, `AsyncStream` and a plain ``create``."""

from __future__ import annotations

from asyncio import current_task
from threading import RLock, get_ident
from typing import TYPE_CHECKING, Any, cast

from orq_core._accumulate import Tally, chunks_of
from orq_core._paced import paced
from orq_core.errors import (
    OrqError,
    PluginError,
    ResponseDecodeError,
    StreamError,
    StreamInterruptedError,
)
from orq_core.models import ChatCompletion, ChatCompletionChunk

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from orq_core._answers import Piece
    from orq_core._pipeline import Exchange
    from orq_core._reply import Reply
    from orq_core.call import Call

_CLOSED = "the stream was closed by another thread or task"
_READ_ELSEWHERE = "this stream is being read by another thread or task"
_CANCELLED = "a wait for the stream was cancelled, which ended it"


class Feed:
    """Pulls the outermost layer, keeps what passed, and ends the call exactly once."""

    # Chunks that are ready to be handed out, or that are read as they come.
    _run: Iterator[ChatCompletionChunk] = iter(())
    running = _over = False
    aborted = ""  # what cut it short, if it was neither its end nor a failure
    # Whether the last item was pulled, any chunk was taken, and by which thread or task the last.
    _whole, _taken, reader = False, False, 0

    def __init__(
        self,
        call: Call,
        exchange: Exchange,
        abort: Callable[[], None],
        *,
        batched: bool = False,
    ) -> None:
        """Open the exchange; ``abort`` drops its connections without waiting, from any thread.

        ``batched``: the exchange has no layers and yields lists of what arrived together.
        """
        self.call = call
        self._exchange = exchange
        self._abort = abort
        self._items = exchange.open()
        self._batched = batched
        self._singly = batched and not call.runtime.is_async
        # What has arrived and was not handed out, the next one last.
        self.waiting: list[Piece | ChatCompletion] = []
        self._began = call.now()
        # Another thread may close it or look at the partial. It is not taken for each event.
        self._lock = RLock()
        self.tally = Tally()
        self._is_async = call.runtime.is_async

    @property
    def partial(self) -> ChatCompletion:
        """What has been handed out so far, as one completion."""
        with self._lock:
            completion = self.tally.completion()
        completion.info = self.call.info
        return completion

    @property
    def delivered(self) -> int:
        """How many chunks have been handed out."""
        with self._lock:
            return self.tally.delivered

    async def whole(self) -> ChatCompletion:
        """Pull everything and return the one completion it makes."""
        result: ChatCompletion | None = None
        while not self._over:
            await self.prime()
            while self.waiting:
                item = self.waiting.pop()
                if isinstance(item, ChatCompletion):
                    result = item
                elif isinstance(item, ChatCompletionChunk):
                    self.tally.add(item)
            if result is not None and self._batched:
                # Nothing follows it, and there is no layer that waits for the end.
                await self.end()
        if result is None and self.tally.delivered:
            result = self.tally.completion()
        if result is None:
            raise ResponseDecodeError("the call ended without an answer")
        result.info = self.call.info
        return result

    async def prime(self) -> None:
        """Wait until a chunk is `ready`, or none will come.

        Done for the first one too, so that what fails before it fails inside ``create``. Raises
        StreamInterruptedError where somebody else has closed it, or an earlier wait was cancelled.
        """
        while not self.waiting and not self._over:
            if self.running:
                raise RuntimeError(_READ_ELSEWHERE)
            self.running = True
            self.reader = id(current_task()) if self._is_async else get_ident()
            try:
                item: Any = await self._items.__anext__()
            except StopAsyncIteration:
                self.running = False
                self._whole = not self.aborted
                await self.end()
                break
            except BaseException as error:
                await self.fail(error)
                raise
            self.running = False
            if self.call.info.time_to_first_event is None:
                self.call.info.time_to_first_event = self.call.now() - self._began
            if self._batched:
                self.waiting += item[::-1]
            elif isinstance(item, (ChatCompletionChunk, ChatCompletion)):
                self.waiting.append(item)
            else:
                await self.end()
                raise PluginError(
                    f"a layer yielded {type(item).__name__}; items are ChatCompletionChunk and "
                    "ChatCompletion",
                )
            if self.aborted:
                await self.end()
        if self.aborted and not self.waiting:
            raise self._interrupted(self.aborted)

    def ready(self) -> ChatCompletionChunk | None:
        """Hand out a chunk that has arrived already, None if there is none."""
        try:
            chunk = next(self._run, None)
        except ValueError as error:  # said by a generator that is at work
            raise RuntimeError(_READ_ELSEWHERE) from error
        if chunk is not None or not self.waiting:
            return chunk
        with self._lock:
            # Closing from another thread may have cleared it.
            piece = self.waiting.pop() if self.waiting else None
            if not self._taken:
                # Whoever made the call may have handed the stream on.
                self._taken, self.reader = True, self._here()
            if isinstance(piece, tuple):
                template, texts = piece
                again = self.tally.alike(template, texts)
                if len(texts) == 1:
                    if again and self._singly and not self.waiting:
                        self._run = paced(self, cast("Reply", self._items), template)
                    return template.make(texts[0])
                self.tally.left = iter(texts)
                self._run = map(template.make, self.tally.left)
                return next(self._run)
            if isinstance(piece, ChatCompletion):
                # Only layers yield one to a stream; what reads the wire has made chunks of it.
                self.waiting += reversed(chunks_of(piece))
                return self.ready()
            if piece is not None:
                self.tally.add(piece)
            return piece

    async def close(self) -> None:
        """End the call; from another thread or task than the reader's, make the reader end it."""
        with self._lock:
            running = self.running
            if running or (not self._over and self.reader != self._here()):
                self.aborted = _CLOSED
            if not running:
                self._run = iter(())
                self.waiting.clear()
        if running:
            self._abort()
        else:
            await self.end()

    def check_whole(self) -> None:
        """Raise StreamInterruptedError unless all of the answer has been handed out."""
        if not self._whole:
            raise self._interrupted("the stream was closed before its end, or had failed")

    def abandon(self) -> bool:
        """End the call of a stream that was dropped; tell whether it was open."""
        over, self._over = self._over, True
        self._run = iter(())
        if not over:
            self._exchange.abandon()
        return not over

    async def end(self) -> None:
        with self._lock:
            over, self._over = self._over, True
        if not over:
            self.call.info.elapsed = self.call.now() - self._began
            await self._exchange.close()

    async def fail(self, error: BaseException) -> None:
        """Release everything and tell the error what is known of the call."""
        self.running = False
        try:
            await self.end()
        except Exception as second:  # noqa: BLE001 - a plugin may raise anything while it closes; the caller is to see the error that came first
            second.__context__ = None
        if isinstance(error, OrqError):
            error.attempts = self.call.info.attempts
            if isinstance(error, (StreamError, ResponseDecodeError)) and self.delivered:
                # The layers may have changed what the caller saw, so theirs is not the partial.
                error.partial, error.delivered = self.partial, self.delivered
        if self.aborted and isinstance(error, OrqError):
            raise self._interrupted(self.aborted) from error
        if not isinstance(error, Exception):
            # Who goes on reading must not take it for a whole answer.
            self.aborted = _CANCELLED

    def _here(self) -> int:
        return id(current_task()) if self._is_async else get_ident()

    def _interrupted(self, told: str) -> StreamInterruptedError:
        return StreamInterruptedError(told, partial=self.partial, delivered=self.delivered)
