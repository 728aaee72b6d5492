"""One test body for both modes."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from attrs import define

from orq_core import AsyncOrq, Orq
from orq_core._runtime import drive

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine

T = TypeVar("T")


@define(frozen=True)
class Mode:
    """Runs ``async def`` test bodies against `Orq` or `AsyncOrq`.

    Under ``sync`` nothing that its methods await suspends, and there is no event loop.
    """

    name: str

    @property
    def is_async(self) -> bool:
        """Whether this is the asyncio mode."""
        return self.name == "async"

    def run(self, body: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Run a test's body: under asyncio, or in this thread without an event loop."""
        return asyncio.run(body()) if self.is_async else drive(body())

    @asynccontextmanager
    async def client(self, **arguments: Any) -> AsyncGenerator[Any, None]:
        """Make this mode's client and close it at the end."""
        client = AsyncOrq(**arguments) if self.is_async else Orq(**arguments)
        try:
            yield client
        finally:
            await self.close(client)

    async def create(self, client: Any, **arguments: Any) -> Any:
        """Call ``client.router.chat.completions.create``."""
        answer = client.router.chat.completions.create(**arguments)
        return await answer if self.is_async else answer

    async def iterate(self, stream: Any) -> AsyncIterator[Any]:
        """Iterate over a stream of this mode."""
        if self.is_async:
            async for item in stream:
                yield item
        else:
            for item in stream:
                yield item

    async def completion(self, stream: Any) -> Any:
        """Drain a stream of this mode."""
        return await stream.completion() if self.is_async else stream.completion()

    async def close(self, closable: Any) -> None:
        """Close a client or stream of this mode."""
        if self.is_async:
            await closable.aclose()
        else:
            closable.close()


MODES = (Mode("sync"), Mode("async"))
