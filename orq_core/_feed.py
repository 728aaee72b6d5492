"""The one reader behind `Stream`, `AsyncStream` and a plain ``create``."""

from __future__ import annotations

from asyncio import current_task
from functools import cached_property
from operator import length_hint
from threading import RLock, get_ident
from typing import TYPE_CHECKING, Any

from orq_core._accumulate import Accumulator, chunks_of
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
    from orq_core._answers.template import Template
    from orq_core._pipeline import Exchange
    from orq_core.call import Call

_CLOSED = "the stream was closed by another thread or task"
_CANCELLED = "a wait for the stream was cancelled, which ended it"


class Feed:
    """Pulls the outermost layer, keeps what passed, and ends the call exactly once."""

    # The run of alike chunks that is being handed out. A whole answer needs nothing of it.
    _run: Iterator[ChatCompletionChunk] = iter(())
    _template: Template | None = None
    _left: Iterator[str] = iter(())
    _delivered = 0
    _running = _over = False
    _aborted = ""  # what cut it short, if it was neither its end nor a failure
    # Whether the last item was pulled, any chunk was taken, and by which thread or task the last.
    _whole, _taken, _reader = False, False, 0

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
        # What has arrived and was not handed out, the next one last.
        self._waiting: list[Piece | ChatCompletion] = []
        self._began = call.now()
        # Another thread may close it or look at the partial. It is not taken for each event.
        self._lock = RLock()
        # Of chunks alike, handed out or about to be; not added up yet.
        self._texts: list[str] = []
        self._is_async = call.runtime.is_async

    @cached_property
    def _accumulator(self) -> Accumulator:
        return Accumulator()

    @property
    def partial(self) -> ChatCompletion:
        """What has been handed out so far, as one completion."""
        with self._lock:
            self._settle()
            completion = self._accumulator.completion()
        completion.info = self.call.info
        return completion

    @property
    def delivered(self) -> int:
        """How many chunks have been handed out."""
        with self._lock:
            self._settle()
            return self._delivered

    async def whole(self) -> ChatCompletion:
        """Pull everything and return the one completion it makes."""
        result: ChatCompletion | None = None
        while not self._over:
            await self.prime()
            while self._waiting:
                item = self._waiting.pop()
                if isinstance(item, ChatCompletion):
                    result = item
                else:
                    self._accumulator.take(item)
                    self._delivered += 1
            if result is not None and self._batched:
                # Nothing follows it, and there is no layer that waits for the end.
                await self._end()
        if result is None and self._delivered:
            result = self._accumulator.completion()
        if result is None:
            raise ResponseDecodeError("the call ended without an answer")
        result.info = self.call.info
        return result

    async def prime(self) -> None:
        """Wait until a chunk is `ready`, or none will come.

        Done for the first one too, so that what fails before it fails inside ``create``. Raises
        StreamInterruptedError where somebody else has closed it, or an earlier wait was cancelled.
        """
        while not self._waiting and not self._over:
            if self._running:
                raise RuntimeError("this stream is being read by another thread or task")
            self._running = True
            self._reader = id(current_task()) if self._is_async else get_ident()
            try:
                item: Any = await self._items.__anext__()
            except StopAsyncIteration:
                self._running = False
                self._whole = not self._aborted
                await self._end()
                break
            except BaseException as error:
                self._running = False
                await self._fail(error)
                if not isinstance(error, Exception):
                    # Who goes on reading must not take it for a whole answer.
                    self._aborted = _CANCELLED
                raise
            self._running = False
            if self.call.info.time_to_first_event is None:
                self.call.info.time_to_first_event = self.call.now() - self._began
            if self._batched:
                self._waiting += item[::-1]
            elif isinstance(item, (ChatCompletionChunk, ChatCompletion)):
                self._waiting.append(item)
            else:
                await self._end()
                raise PluginError(
                    f"a layer yielded {type(item).__name__}; items are ChatCompletionChunk and "
                    "ChatCompletion",
                )
            if self._aborted:
                await self._end()
        if self._aborted and not self._waiting:
            raise self._interrupted(self._aborted)

    def ready(self) -> ChatCompletionChunk | None:
        """Hand out a chunk that has arrived already, None if there is none."""
        chunk = next(self._run, None)
        if chunk is not None or not self._waiting:
            return chunk
        with self._lock:
            # Closing from another thread may have cleared it.
            piece = self._waiting.pop() if self._waiting else None
            if not self._taken:
                # Whoever made the call may have handed the stream on.
                self._taken, self._reader = True, self._here()
            if isinstance(piece, tuple):
                template, texts = piece
                if template is not self._template:
                    self._settle()
                    self._texts, self._template = [], template
                self._texts += texts
                if len(texts) == 1:
                    return template.make(texts[0])
                self._left = iter(texts)
                self._run = map(template.make, self._left)
                return next(self._run)
            if isinstance(piece, ChatCompletion):
                # Only layers yield one to a stream; what reads the wire has made chunks of it.
                self._waiting += reversed(chunks_of(piece))
                return self.ready()
            if piece is not None:
                if self._texts:
                    self._settle()
                self._accumulator.add(piece)
                self._delivered += 1
            return piece

    def _settle(self) -> None:
        """Add up what the run has handed out: once for many, a tenth less for each event."""
        handed = len(self._texts) - length_hint(self._left)
        if self._template is not None and handed:
            self._accumulator.take((self._template, self._texts[:handed]))
            self._delivered += handed
            del self._texts[:handed]

    async def close(self) -> None:
        """End the call; from another thread or task than the reader's, make the reader end it."""
        with self._lock:
            running = self._running
            if running or (not self._over and self._reader != self._here()):
                self._aborted = _CLOSED
            if not running:
                self._settle()
                self._run = iter(())
                self._waiting.clear()
        if running:
            self._abort()
        else:
            await self._end()

    def check_whole(self) -> None:
        """Raise StreamInterruptedError unless all of the answer has been handed out."""
        if not self._whole:
            raise self._interrupted("the stream was closed before its end, or had failed")

    def abandon(self) -> bool:
        """End the call of a stream that was dropped; tell whether it was open."""
        over, self._over = self._over, True
        if not over:
            self._exchange.abandon()
        return not over

    async def _end(self) -> None:
        with self._lock:
            over, self._over = self._over, True
        if not over:
            self.call.info.elapsed = self.call.now() - self._began
            await self._exchange.close()

    async def _fail(self, error: BaseException) -> None:
        """Release everything and tell the error what is known of the call."""
        try:
            await self._end()
        except Exception as second:  # noqa: BLE001 - a plugin may raise anything while it closes; the caller is to see the error that came first
            second.__context__ = None
        if isinstance(error, OrqError):
            error.attempts = self.call.info.attempts
            if isinstance(error, (StreamError, ResponseDecodeError)) and self.delivered:
                # The layers may have changed what the caller saw, so theirs is not the partial.
                error.partial, error.delivered = self.partial, self.delivered
        if self._aborted and isinstance(error, OrqError):
            raise self._interrupted(self._aborted) from error

    def _here(self) -> int:
        return id(current_task()) if self._is_async else get_ident()

    def _interrupted(self, told: str) -> StreamInterruptedError:
        return StreamInterruptedError(told, partial=self.partial, delivered=self.delivered)
