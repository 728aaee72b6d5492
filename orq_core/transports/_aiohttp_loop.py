"""What the asyncio transport holds on one event loop, and how it ends with it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import aiohttp

from orq_core.transports._aiohttp_front import LONGEST_LINE
from orq_core.transports._aiohttp_pool import Pool
from orq_core.transports._watch import Watches

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from orq_core.transports._aiohttp_straight import Way


class Here:
    """A session with its pool, the timer of its answers, and what is known of the URLs asked.

    A caller's session has no pool here, and is left open.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        given: aiohttp.ClientSession | None,
        limit: int,
    ) -> None:
        """Open on the running loop; ``limit``: connections at once to one host, 0 for any."""
        self.pool = None if given is not None else Pool(limit=0, limit_per_host=limit)
        self.session = given or aiohttp.ClientSession(
            connector=self.pool,
            cookie_jar=aiohttp.DummyCookieJar(),
            max_line_size=LONGEST_LINE,
            max_field_size=LONGEST_LINE,
        )
        self.watches = Watches(loop)
        self.ways: dict[str, Way] = {}
        own = given is None
        self._guard = _until_the_loop_ends(self.session, self.watches) if own else None

    @property
    def closed(self) -> bool:
        """Whether the loop was told to end, or the session was closed."""
        return self.pool is not None and self.session.closed

    async def open(self) -> None:
        """Be closed when the loop shuts down its asynchronous generators, as `asyncio.run` does."""
        if self._guard is not None:
            await self._guard.__anext__()

    async def close(self) -> None:
        """Close what is not the caller's."""
        if self._guard is not None:
            await self._guard.aclose()


async def _until_the_loop_ends(
    session: aiohttp.ClientSession, watches: Watches
) -> AsyncGenerator[None, None]:
    try:
        yield
    finally:
        watches.close()
        await session.close()
        # The sockets' own closing callbacks run in the next turn of the loop.
        await asyncio.sleep(0)
