"""One request in flight for all who ask the same: a log of its items, followed by many."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from orq_plugins.caching._tasks import stop, wake
from orq_plugins.caching.sharing import Failure, seconds_left

if TYPE_CHECKING:
    from orq_core import Call, Item, Items
    from orq_plugins.caching.recording import Recording
    from orq_plugins.caching.source import Source

Landed = Callable[["Flight", bool], Awaitable[None]]

_AHEAD = 256  # items that a request whose answer is not kept may run ahead of its callers
_TASK = "task"  # stands for the task that pulls, where calls that pull are named by their id


class Flight:
    """A request that several calls wait for, and the items that have come.

    Blocking calls pull in turn: whoever needs the next item and finds nobody pulling does it. Under
    asyncio one task pulls, so that cancelling a caller cancels only the caller. The request is
    closed when its last caller has left.
    """

    def __init__(
        self,
        source: Source,
        recording: Recording,
        landed: Landed,
        gone: Callable[[Flight], None],
        now: Callable[[], float],
    ) -> None:
        """Follow a source's items; ``now`` gives seconds on a monotonic clock.

        ``landed`` is awaited once: when a caller has had everything, and the answer may be kept, or
        when that can't be any more. Then ``gone`` is called.
        """
        self.recording = recording
        self._failure: Failure | None = None
        self._source = source
        self._items: Items | None = None
        self._landed = landed
        self._gone = gone
        self._now = now
        # Its own `with` is a tenth of what an event costs here; a condition's is twice that.
        self._lock = threading.RLock()
        self._changed = threading.Condition(self._lock)
        self._waiting: set[asyncio.Future[None]] = set()
        self._callers: dict[str, int] = {}
        self._ended: float | None = None
        self._leader = self._puller = ""
        self._closing = self._over = self._has_landed = False
        self._task: asyncio.Task[None] | None = None

    def lead(self, call: Call) -> None:
        """Take part as the first."""
        self._leader = call.id
        self._callers[call.id] = 0

    @property
    def age(self) -> float:
        """Seconds since the whole answer was here; somebody may be slow to read it."""
        return 0.0 if self._ended is None else self._now() - self._ended

    def join(self, call: Call, ttl: float) -> bool:
        """Take part; False when there is nothing to take part in any more."""
        with self._lock:
            gone = self._over and (self._failure or self.age >= ttl or not self.recording.storable)
            if gone or self._closing or not self.recording.complete:
                return False
            self._callers[call.id] = 0
            return True

    async def leave(self, call: Call) -> None:
        """Stop taking part; the last to leave closes the request."""
        with self._lock:
            self._callers.pop(call.id, None)
            if call.id == self._leader:
                self.recording.drop_originals()
            if call.id == self._puller:
                # Interrupted between taking its turn and using it.
                self._puller = ""
                self._changed.notify_all()
            if self._callers:
                return
            self._closing = True
            over = self._over
        self._gone(self)
        if over:
            await self._land(keep=False)
            if self._task is not None and call.runtime.is_async:
                await asyncio.wait((self._task,))  # it may be about to give the lease back
        elif self._task is not None:
            await stop(self._task)
        elif not call.runtime.is_async:
            await self._end(asyncio.CancelledError())
        # Its traceback holds the frames of those who have been told.
        self._failure = None

    async def next(self, call: Call, at: int, *, leads: bool) -> Item | None:
        """Return item number ``at`` when it has come, None at the end.

        Raises what ended the request: itself for the caller that leads, a copy for others, and
        LostError for one who may as well ask anew.
        """
        while True:
            # The leader's limits are those of the request itself.
            left = None if leads else seconds_left(call)
            waiter: asyncio.Future[None] | None = None
            with self._lock:
                if at < len(self.recording):
                    self._callers[call.id] = at + 1
                    return self.recording.item(at, original=leads)
                if self._over:
                    break
                mine = not self._puller
                if call.runtime.is_async:
                    waiter = self._announced(pulls=mine)
                elif mine:
                    self._puller = call.id
                else:
                    self._changed.wait(seconds_left(call))
                    continue
            if waiter is None:
                if (item := await self._pull(call.id, at if leads else -1)) is not None:
                    return item
            else:
                await self._told(waiter, left)
        if self._failure is not None:
            raise self._failure.told(call, delivered=call.stream and at > 0, leads=leads)
        await self._land(keep=True)
        return None

    def _announced(self, *, pulls: bool) -> asyncio.Future[None]:
        loop = asyncio.get_running_loop()
        waiter = loop.create_future()
        self._waiting.add(waiter)
        if pulls:
            self._puller = _TASK
            self._task = loop.create_task(self._pull_all())
            self._task.add_done_callback(self._stopped)
        return waiter

    def _stopped(self, _: asyncio.Task[None]) -> None:
        """Tell everyone of a task that somebody cancelled before it began."""
        with self._lock:
            if self._over:
                return
            self._failure, self._over = Failure(asyncio.CancelledError()), True
        self._tell()

    async def _pull_all(self) -> None:
        try:
            while not self._over:
                await self._pull(_TASK)
                # Rare: it is too big to keep.
                while not self.recording.complete and self._too_far_ahead():  # noqa: ASYNC110 - rare, and an event that every reader sets would cost all the other answers
                    await asyncio.sleep(0.001)
        except asyncio.CancelledError as error:
            await self._end(error)

    async def _pull(self, puller: str, at: int = -1) -> Item | None:
        """Take the next item, and return it if it is number ``at`` of the caller that leads."""
        own: Item | None = None
        try:
            if self._items is None:
                self._items = await self._source.open(self.recording)
            item = await self._items.__anext__()
            with self._lock:
                if at == len(self.recording):
                    own, self._callers[puller] = item, at + 1
                self.recording.add(item, original=own is None and self._leader in self._callers)
                if not self.recording.complete:
                    self.recording.forget(min(self._callers.values(), default=len(self.recording)))
                self._puller = puller if puller == _TASK else ""
                if len(self._callers) > 1:
                    self._changed.notify_all()
                waiting, self._waiting = self._waiting, set()
            wake(waiting)
            if not self.recording.complete:
                # Nobody need wait for an answer that will not be stored.
                await self._land(keep=False, gone=False)
        except StopAsyncIteration:
            await self._end(None)
        except BaseException as error:
            await self._end(error)
            if not isinstance(error, Exception) and puller != _TASK:
                # A thread that is interrupted must hear of it at its own line.
                raise
        return own

    async def _end(self, error: BaseException | None) -> None:
        try:
            await self._source.close()
        except BaseException as second:
            # What ended the items comes first.
            error = error or second
            if not isinstance(second, Exception) and self._task is None:
                raise
        finally:
            with self._lock:
                over, self._over, self._puller = self._over, True, ""
                if not over:
                    self._ended = self._now()
                    self._failure = None if error is None else Failure(error)
            try:
                if error is not None and not over:
                    await self._land(keep=False)
            finally:
                self._tell()
                del error

    async def _land(self, *, keep: bool, gone: bool = True) -> None:
        with self._lock:
            if self._has_landed:
                return
            self._has_landed = True
        try:
            await self._landed(self, keep)
        except BaseException:
            # Whoever is left does it, the last to leave at the latest.
            self._has_landed = False
            raise
        finally:
            if gone:
                self._gone(self)

    def _tell(self) -> None:
        with self._lock:
            waiting, self._waiting = self._waiting, set()
            self._changed.notify_all()
        wake(waiting)

    async def _told(self, waiter: asyncio.Future[None], left: float | None) -> None:
        try:
            await asyncio.wait((waiter,), timeout=left)
        finally:
            self._waiting.discard(waiter)

    def _too_far_ahead(self) -> bool:
        # Ahead of the fastest: he must not wait for those who may wait for him.
        ahead = len(self.recording) - max(self._callers.values(), default=0)
        return not self._over and ahead > _AHEAD
