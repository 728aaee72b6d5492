"""What ``create(stream=True)`` returns: two faces of one feed of chunks."""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING

from orq_core._accumulate.folding import place
from orq_core._origins import Origin
from orq_core._runtime import drive
from orq_core.models import text_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from types import TracebackType

    from typing_extensions import Self

    from orq_core._feed import Feed
    from orq_core.call import CallInfo
    from orq_core.models import ChatCompletion, ChatCompletionChunk


class BaseStream:
    """What both kinds of stream know without waiting."""

    def __init__(self, feed: Feed) -> None:
        """Read from a feed whose first chunk has been pulled."""
        self._feed = feed
        self._origin = Origin.here()

    @property
    def info(self) -> CallInfo:
        """Status, headers, ids, attempts, times and plugins' notes; grows while it is read."""
        return self._feed.call.info

    @property
    def partial(self) -> ChatCompletion:
        """What the chunks read so far add up to."""
        return self._feed.partial

    def _reads_text(self) -> Callable[[ChatCompletionChunk], str]:
        """Choose what reads the text of the first choice; only several need be told apart."""
        request = self._feed.call.request
        asked = request.extra.get("n", request.n)
        return _first_text if isinstance(asked, int) and asked > 1 else attrgetter("text")

    def __repr__(self) -> str:
        """Name the call, show no content."""
        return f"<{type(self).__name__} {self.info.call_id}: {self._feed.delivered} chunks read>"

    def __del__(self) -> None:
        """Release the connection of a stream that was left without closing it, and warn."""
        origin = getattr(self, "_origin", None)
        if origin is not None and self._feed.abandon():
            origin.warn("a stream was dropped that was neither read to its end nor closed")


class Stream(BaseStream):
    """An iterator of `ChatCompletionChunk`, and a context manager that closes it.

    Leaving it early by ``with`` or `close` releases the connection at once; so does dropping it,
    with a ResourceWarning that names the line which asked for it. Iterating raises
    StreamInterruptedError, StreamTruncatedError or APIStreamError, each with what had arrived as
    ``partial``, and APITimeoutError.
    """

    def __iter__(self) -> Self:
        """Return itself."""
        return self

    def __next__(self) -> ChatCompletionChunk:
        """Wait for the next chunk."""
        chunk = self._feed.ready()
        if chunk is None:
            drive(self._feed.prime())
            chunk = self._feed.ready()
            if chunk is None:
                raise StopIteration
        return chunk

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close."""
        self.close()

    def close(self) -> None:
        """End the call and release its connection; idempotent, callable from any thread."""
        drive(self._feed.close())

    def text_deltas(self) -> Iterator[str]:
        """Yield the pieces of the first choice's text as they arrive."""
        text_in = self._reads_text()
        for chunk in self:
            if text := text_in(chunk):
                yield text

    def completion(self) -> ChatCompletion:
        """Read to the end and return all of it as one completion.

        Raises what iterating does, and StreamInterruptedError for a stream that was closed before
        its end or has failed; `partial` is what there is of it.
        """
        for _ in self:
            pass
        self._feed.check_whole()
        return self.partial


class AsyncStream(BaseStream):
    """`Stream` for asyncio: an async iterator and an async context manager."""

    def __aiter__(self) -> Self:
        """Return itself."""
        return self

    async def __anext__(self) -> ChatCompletionChunk:
        """Wait for the next chunk."""
        chunk = self._feed.ready()
        if chunk is None:
            await self._feed.prime()
            chunk = self._feed.ready()
            if chunk is None:
                raise StopAsyncIteration
        return chunk

    async def __aenter__(self) -> Self:
        """Return itself."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close."""
        await self.aclose()

    async def aclose(self) -> None:
        """End the call and release its connection; idempotent, callable from any task."""
        await self._feed.close()

    close = aclose

    async def text_deltas(self) -> AsyncIterator[str]:
        """Yield the pieces of the first choice's text as they arrive."""
        text_in = self._reads_text()
        async for chunk in self:
            if text := text_in(chunk):
                yield text

    async def completion(self) -> ChatCompletion:
        """Read to the end and return all of it as one completion; see `Stream.completion`."""
        async for _ in self:
            pass
        self._feed.check_whole()
        return self.partial


def _first_text(chunk: ChatCompletionChunk) -> str:
    first = [each for at, each in enumerate(chunk.choices) if place(each.index, at) == 0]
    return text_of(first[0].delta.content) if first else ""
