"""The connections of one event loop: aiohttp's pool, less those that it should not keep."""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import aiohttp

if TYPE_CHECKING:
    from collections.abc import Callable

    from orq_core.limits import Phase

# What a session's request wants to be told of its connection; no argument of aiohttp's carries it.
entering: ContextVar[Callable[[Phase], None] | None] = ContextVar("entering", default=None)
# Bytes that asyncio asks for at once. For its own 256 KiB the C library asks the system for memory
# and gives it back each time, which takes a sixth of a call and half of a paced event. Other event
# loops have no such setting.
_RECEIVED = 64 * 2**10


class Pool(aiohttp.TCPConnector):
    """Drops connections that aiohttp would keep.

    Bytes that arrived on an idle one it would hand to the next request, as the beginning of its
    answer; one that is left in the middle of a request stays open while the server reads nothing.
    """

    async def idle(self, key: Any) -> Any:
        """Return an idle connection, or None; never waits."""
        while (connection := await super()._get(key, [])) is not None:
            if connection.protocol is not None and not connection.protocol.should_close:
                return connection
            connection.close()
        return None

    async def _get(self, key: Any, traces: Any) -> Any:
        del traces
        connection = await self.idle(key)
        if connection is None and (enter := entering.get()) is not None:
            enter("connect")
        return connection

    async def connect(self, *args: Any, **kwargs: Any) -> Any:
        """Tell the request of a new connection; aiohttp's tracing would cost a tenth of a call."""
        connection = await super().connect(*args, **kwargs)
        transport: Any = connection.transport
        if hasattr(transport, "max_size"):
            transport.max_size = _RECEIVED
        if (enter := entering.get()) is not None:
            enter("first_event")
        return connection

    def _release(self, key: Any, protocol: Any, *, should_close: bool = False) -> None:
        transport = protocol.transport
        if should_close and transport is not None and _would_wait(transport):
            transport.abort()
        super()._release(key, protocol, should_close=should_close)


def _would_wait(transport: Any) -> bool:
    """Tell whether closing would wait for the server, perhaps longer than the loop runs.

    It may have to read the rest of a request, or to answer the end of TLS.
    """
    return bool(transport.get_write_buffer_size() or transport.get_extra_info("ssl_object"))
