"""One request in flight for all who ask the same: a log of its items, followed by many."""

from __future__ import annotations

import asyncio
import copy
import threading
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from orq_core import APITimeoutError, OrqError, StreamInterruptedError

if TYPE_CHECKING:
    from orq_core import Call, Item, Items
    from orq_plugins.caching.recording import Recording

Landed = Callable[["Flight", bool], Awaitable[None]]

_AHEAD = 256  # items that a request whose answer is not kept may run ahead of its callers


class Lost(Exception):  # noqa: N818 - it says that somebody else gave up
    """The request ended with the one who made it, before this caller had anything of it."""


class Flight:
    """A request that several calls wait for, and the items that have come.

    Blocking calls pull in turn: whoever needs the next item and finds nobody pulling does it. Under
    asyncio one task pulls, so that cancelling a caller cancels only the caller. The request is
    closed when its last caller has left.
    """

    def __init__(
        self, items: Items, recording: Recording, landed: Landed, gone: Callable[[], None]
    ) -> None:
        """Follow ``items``.

        ``landed`` is awaited once: when a caller has had everything, and the answer may be kept, or
        when that can't be any more. Then ``gone`` is called.
        """
        self.recording = recording
        self.error: BaseException | None = None
        self._items = items
        self._landed = landed
        self._gone = gone
        self._changed = threading.Condition()
        self._waiting: set[asyncio.Future[None]] = set()
        self._callers: dict[str, int] = {}
        self._leader = ""
        self._pulling = False
        self._closing = False
        self._over = False
        self._has_landed = False
        self._task: asyncio.Task[None] | None = None

    def lead(self, call: Call) -> None:
        """Take part as the first."""
        self._leader = call.id
        self._callers[call.id] = 0

    def join(self, call: Call) -> bool:
        """Take part; False when there is nothing to take part in any more."""
        with self._changed:
            failed = self._over and self.error is not None
            if failed or self._closing or not self.recording.complete:
                return False
            self._callers[call.id] = 0
            return True

    async def leave(self, call: Call) -> None:
        """Stop taking part; the last to leave closes the request."""
        with self._changed:
            self._callers.pop(call.id, None)
            if self._callers:
                return
            self._closing = True
            over = self._over
        self._gone()
        if over:
            # Its traceback holds the frames of those who have been told.
            self.error = None
            await self._land(keep=False)
        elif self._task is not None:
            self._task.cancel()
        elif not call.runtime.is_async:
            await self._end(asyncio.CancelledError())

    async def next(self, call: Call, at: int, *, leads: bool) -> Item | None:
        """Return item number ``at`` when it has come, None at the end.

        Raises what ended the request: itself for the caller that leads, a copy for others, Lost
        for one who may as well ask anew.
        """
        while True:
            waiter: asyncio.Future[None] | None = None
            with self._changed:
                if at < len(self.recording):
                    self._callers[call.id] = at + 1
                    return self.recording.item(at, original=leads)
                if self._over:
                    break
                mine, self._pulling = not self._pulling, True
                if call.runtime.is_async:
                    loop = asyncio.get_running_loop()
                    waiter = loop.create_future()
                    self._waiting.add(waiter)
                    if mine:
                        self._task = loop.create_task(self._pull_all())
            if waiter is not None:
                await self._told(call, waiter, leads=leads)
            elif mine:
                await self._pull()
            else:
                self._wait(call)
        if self.error is not None:
            raise _for(self.error, at, leads=leads)
        await self._land(keep=True)
        return None

    async def fly_alone(self) -> None:
        """Pull to the end without a caller, for an answer that is fetched ahead of need."""
        await self._pull_all()
        await self._land(keep=self.error is None)

    async def _pull_all(self) -> None:
        while not self._over:
            self._pulling = True
            await self._pull()
            while self._too_far_ahead():
                await self._told_of_progress()

    async def _pull(self) -> None:
        try:
            item = await self._items.__anext__()
        except StopAsyncIteration:
            await self._end(None)
        except BaseException as error:
            await self._end(error)
            if not isinstance(error, Exception) and self._task is None:
                # A thread that is interrupted must hear of it at its own line.
                raise
        else:
            with self._changed:
                self.recording.add(item, original=self._leader in self._callers)
                self.recording.forget(min(self._callers.values(), default=0))
                self._pulling = False
            self._tell()

    async def _end(self, error: BaseException | None) -> None:
        try:
            await self._items.aclose()
        except Exception as second:  # noqa: BLE001 - what ended the items comes first
            error = error or second
        with self._changed:
            if self._over:
                return
            self.error, self._over, self._pulling = error, True, False
        try:
            if error is not None:
                await self._land(keep=False)
        finally:
            self._tell()
            del error

    async def _land(self, *, keep: bool) -> None:
        with self._changed:
            if self._has_landed:
                return
            self._has_landed = True
        try:
            await self._landed(self, keep)
        finally:
            self._gone()

    def _tell(self) -> None:
        with self._changed:
            waiting, self._waiting = self._waiting, set()
            self._changed.notify_all()
        for waiter in waiting:
            if not waiter.done():
                waiter.set_result(None)

    def _wait(self, call: Call) -> None:
        left = _left(call)
        with self._changed:
            if not self._over and self._pulling:
                self._changed.wait(left)

    async def _told(self, call: Call, waiter: asyncio.Future[None], *, leads: bool) -> None:
        try:
            if leads:
                # Its limits are those of the request itself.
                await waiter
            else:
                await asyncio.wait((waiter,), timeout=_left(call))
                _left(call)
        finally:
            self._waiting.discard(waiter)

    def _too_far_ahead(self) -> bool:
        slowest = min(self._callers.values(), default=0)
        return (
            self._task is not None
            and not self._over
            and not self.recording.complete
            and len(self.recording) - slowest > _AHEAD
        )

    async def _told_of_progress(self) -> None:
        # Rare enough to be looked for instead of being told: such an answer is too big to keep.
        await asyncio.sleep(0.001)


def _left(call: Call) -> float | None:
    """Return the seconds a call has left; raises APITimeoutError when it has none."""
    if call.limits.total_at is None:
        return None
    left = call.limits.total_at - call.now()
    if left <= 0:
        call.limits.phase_at = None
        raise call.limits.error()
    return left


def _for(error: BaseException, at: int, *, leads: bool) -> BaseException:
    """Return what a caller is told of the end of a request that it shares."""
    if isinstance(error, Exception):
        if leads:
            return error
        if not (isinstance(error, APITimeoutError) and error.kind == "total"):
            return copy.copy(error) if isinstance(error, OrqError) else error
    # Somebody else's deadline or interruption.
    if at == 0 and not leads:
        return Lost()
    return StreamInterruptedError("the call whose request this one shared was stopped")
