"""Asynchronous clients, one for each event loop."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable


class PerLoop:
    """Makes a client when a loop asks for its first, and closes it with the loop.

    Closed when the loop shuts down its asynchronous generators, as `asyncio.run` does.
    """

    def __init__(self, make: Callable[[], Any]) -> None:
        """Make clients by calling ``make``."""
        self._make = make
        self._open: dict[asyncio.AbstractEventLoop, _Opened] = {}
        self._pid = os.getpid()
        self._inherited: list[object] = []

    async def get(self) -> Any:
        """Return the running loop's client."""
        if self._pid != os.getpid():
            # Kept and never used again: these are the parent's connections.
            self._inherited.append(self._open)
            self._open, self._pid = {}, os.getpid()
        loop = asyncio.get_running_loop()
        opened = self._open.get(loop)
        if opened is None:
            for other in list(self._open):
                if other.is_closed():
                    self._open.pop(other, None)
            opened = self._open[loop] = _Opened(self._make())
            await opened.guard.__anext__()
        return opened.client

    async def close(self) -> None:
        """Close the running loop's client."""
        opened = self._open.pop(asyncio.get_running_loop(), None)
        if opened is not None and self._pid == os.getpid():
            await opened.guard.aclose()


class _Opened:
    """A client and the generator that ends it with its loop."""

    def __init__(self, client: Any) -> None:
        self.client = client
        self.guard = _until_the_loop_ends(client)


async def _until_the_loop_ends(client: Any) -> AsyncGenerator[None, None]:
    try:
        yield
    finally:
        await client.aclose()
