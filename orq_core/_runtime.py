"""One body of code for blocking and asyncio callers: the two runtimes, and `drive`.

The library and its plugins are written as coroutines. Under asyncio they run as they are. In
blocking code nothing they await ever suspends, so a single ``send(None)`` runs them to their end
in the caller's own thread, without an event loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from orq_core.errors import APIConnectionError, SuspendedError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

# A coroutine that keeps awaiting after SuspendedError was thrown in gets this many more chances
# to clean up before it is closed.
_CHANCES = 16


class Steppable(Protocol[T_co]):
    """What `drive` can step: a coroutine, or what an async generator's methods return."""

    def send(self, value: Any, /) -> Any:
        """Resume; raises StopIteration with the result."""
        ...

    def throw(self, error: BaseException, /) -> Any:
        """Resume with an exception."""
        ...

    def close(self) -> object:
        """Give up."""
        ...


def drive(step: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine that never suspends and return its result.

    Raises SuspendedError, at the very line that awaited, when it does suspend.
    """
    try:
        step.send(None)
    except StopIteration as stop:
        result: T = stop.value
        return result
    return _refuse(step)


def _refuse(step: Coroutine[Any, Any, T]) -> T:
    error = SuspendedError(
        "this line awaits something that needs an event loop, but the client is a blocking one; "
        "use call.sleep and call.run, or AsyncOrq",
    )
    for _ in range(_CHANCES):
        try:
            step.throw(error)
        except StopIteration as stop:
            result: T = stop.value
            return result
    step.close()
    raise error


def is_in_a_loop() -> bool:
    """Tell whether this thread runs an event loop."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def run_alone(work: Coroutine[Any, Any, object]) -> None:
    """Run a coroutine on an event loop of its own; unlike `asyncio.run`, the thread keeps its."""
    loop = asyncio.new_event_loop()
    try:
        loop.run_until_complete(work)
        loop.run_until_complete(loop.shutdown_default_executor())
    finally:
        loop.close()


class Runtime(Protocol):
    """What differs between a thread and an event loop: waiting."""

    @property
    def is_async(self) -> bool:
        """Whether an event loop runs the call."""
        ...

    def now(self) -> float:
        """Return seconds on a monotonic clock."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait; ended at once by cancellation or by closing the client."""
        ...

    async def run(self, function: Callable[..., T], *args: Any) -> T:
        """Call a function that blocks: inline, or in a thread under asyncio."""
        ...


class Blocking:
    """Waits in the caller's thread."""

    is_async = False

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Wait by `threading`, tell the time by ``clock``."""
        self.now = clock
        self._closed = threading.Event()

    async def sleep(self, seconds: float) -> None:
        """Wait; `interrupt` from another thread ends it with APIConnectionError."""
        if self._closed.wait(max(0.0, seconds)):
            raise APIConnectionError("the client was closed during a pause")

    async def run(self, function: Callable[..., T], *args: Any) -> T:
        """Call it here."""
        return function(*args)

    def interrupt(self) -> None:
        """End every pause, now and later."""
        self._closed.set()


class Asyncio:
    """Waits on the running event loop."""

    is_async = True

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Wait by `asyncio`, tell the time by ``clock``."""
        self.now = clock
        self._closed = False
        self._pauses: set[asyncio.Future[None]] = set()

    async def sleep(self, seconds: float) -> None:
        """Wait; cancellation ends it, and `interrupt` with APIConnectionError."""
        loop = asyncio.get_running_loop()
        pause: asyncio.Future[None] = loop.create_future()
        self._pauses.add(pause)
        timer = loop.call_later(0.0 if self._closed else max(0.0, seconds), _end, pause)
        try:
            await pause
        finally:
            timer.cancel()
            self._pauses.discard(pause)
        if self._closed:
            raise APIConnectionError("the client was closed during a pause")

    async def run(self, function: Callable[..., T], *args: Any) -> T:
        """Call it in a worker thread, with the caller's context variables."""
        return await asyncio.to_thread(function, *args)

    def interrupt(self) -> None:
        """End every pause, now and later, on whichever loop."""
        self._closed = True
        for pause in tuple(self._pauses):
            # Nobody waits on a loop that has ended.
            with contextlib.suppress(RuntimeError):
                pause.get_loop().call_soon_threadsafe(_end, pause)


def _end(pause: asyncio.Future[None]) -> None:
    if not pause.done():
        pause.set_result(None)
