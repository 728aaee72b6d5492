"""Closing where nobody awaits: what was dropped, and what a constructor leaves behind."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Coroutine, Generator


def let_end(closing: Coroutine[Any, Any, object]) -> None:
    """Run what closes as far as it goes, and its rest in a task; never raises.

    Without an event loop, what waits for one is given up.
    """
    try:
        waits_for = closing.send(None)
    except StopIteration:
        return
    except BaseException:  # noqa: BLE001 - called from `__del__`, where nobody can catch what is raised and Python only prints it, and where another error is on its way
        return
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        with contextlib.suppress(RuntimeError):
            closing.close()
        return
    task = loop.create_task(_rest(closing, waits_for))
    _closing.add(task)
    task.add_done_callback(_closed)


_closing: set[asyncio.Task[None]] = set()


def _closed(task: asyncio.Task[None]) -> None:
    _closing.discard(task)
    if not task.cancelled():
        task.exception()


async def _rest(coroutine: Coroutine[Any, Any, object], waits_for: Any) -> None:
    await _Resumed(coroutine, waits_for)


class _Resumed:
    """Goes on with a coroutine that was already stepped to its first wait."""

    __slots__ = ("_coroutine", "_waits_for")

    def __init__(self, coroutine: Coroutine[Any, Any, object], waits_for: Any) -> None:
        self._coroutine = coroutine
        self._waits_for = waits_for

    def __await__(self) -> Generator[Any, Any, None]:
        waits_for, failure, sent = self._waits_for, None, None
        while True:
            try:
                sent = yield waits_for
            except BaseException as error:  # noqa: BLE001 - nothing is swallowed: it is thrown into the coroutine on whose behalf this waits
                failure = error
            try:
                if failure is None:
                    waits_for = self._coroutine.send(sent)
                else:
                    waits_for = self._coroutine.throw(failure)
            except StopIteration:
                return
            failure = None
