"""Tasks that are stopped, told, and waited for no longer than they may take."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

T = TypeVar("T")


async def stop(task: asyncio.Task[None]) -> None:
    """Cancel a task and wait for its end; only cancel it where it can't be waited for."""
    loop = task.get_loop()
    try:
        here = asyncio.get_running_loop() is loop
    except RuntimeError:
        here = False
    if here:
        task.cancel()
        await asyncio.wait((task,))
    else:
        # Streams may be dropped anywhere, after the end of their loop too.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(task.cancel)


async def within(seconds: float, ask: Callable[..., Awaitable[T]], *args: Any) -> T:
    """Wait for an answer, but not for long; raises TimeoutError.

    ``asyncio.wait_for`` loses a cancellation that comes together with the answer (before Python
    3.12), or needs to be awaited by one task from beginning to end, as the closing of a dropped
    stream is not.
    """
    loop = asyncio.get_running_loop()

    async def asked() -> T:
        return await ask(*args)

    task = loop.create_task(asked())
    task.add_done_callback(_heard)
    try:
        await asyncio.wait((task,), timeout=seconds)
    finally:
        if not task.done():
            task.cancel()
            await asyncio.wait((task,), timeout=seconds)
    if task.cancelled() or not task.done():
        raise TimeoutError
    return task.result()


def _heard(task: asyncio.Task[Any]) -> None:
    """Take note of a failure after which nobody will ask."""
    if not task.cancelled():
        task.exception()


def wake(waiting: Iterable[asyncio.Future[None]]) -> None:
    """Tell all who wait."""
    for waiter in waiting:
        if not waiter.done():
            waiter.set_result(None)
