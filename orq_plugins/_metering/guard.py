"""A store that may fail: the call goes on, or does not, as the user wishes."""

from __future__ import annotations

import asyncio
import logging
import math
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from orq_core import ConfigurationError, PluginError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from orq_core import Runtime

T = TypeVar("T")

OnFailure = Literal["open", "closed"]
"""What a store that fails means: calls go on without the limit, or a PluginError."""

_log = logging.getLogger("orq")
_REST = 1.0  # seconds that a store which failed is left alone
_running: dict[asyncio.Task[Any], Guard] = {}


class Guard:
    """Asks a store; its failures are counted, the first is reported.

    ``seconds``: how long it may take under asyncio. In blocking mode a store holds its own limits.
    """

    def __init__(self, plugin: str, store: Any, on_failure: OnFailure, seconds: float) -> None:
        """Guard a store for the plugin of this name; raises ConfigurationError."""
        if on_failure not in {"open", "closed"}:
            raise ConfigurationError("on_store_failure: expected 'open' or 'closed'")
        self.failures = 0
        self._plugin = plugin
        self._name = type(store).__name__
        self._is_shared = bool(store.is_shared)
        self._on_failure: OnFailure = on_failure
        self._seconds = seconds
        self._rests_until = -math.inf

    def rests(self, runtime: Runtime) -> bool:
        """Tell whether the store has just failed, and so is not asked."""
        return runtime.now() < self._rests_until

    async def ask(
        self,
        runtime: Runtime,
        method: Callable[..., Awaitable[T]],
        *args: Any,
        late: Callable[[T], Awaitable[object]] | None = None,
    ) -> T | None:
        """Return the answer; None when the store failed and calls go on all the same.

        A store that has just failed is not asked: callers would wait for it one after the other.
        ``late`` is given an answer that comes when nobody waits any more, since the store has done
        what it was asked for. Raises PluginError when calls don't go on.
        """
        cause: Exception | None = None
        if not self.rests(runtime):
            try:
                return await self._asked(runtime, method, *args, late=late)
            except Exception as error:  # noqa: BLE001 - stores are the user's and raise what they like; `on_failure` says whether calls go on
                self._failed(error)
                self._rests_until = runtime.now() + _REST
                cause = error
        try:
            if self._on_failure == "closed":
                raise PluginError(
                    f"{self._plugin}: its {self._name} failed, so nothing was sent; "
                    "on_store_failure='open' would let calls go on",
                    plugin=self._plugin,
                ) from cause
        finally:
            # Its traceback refers to this frame.
            del cause
        return None

    async def tell(
        self, runtime: Runtime, method: Callable[..., Awaitable[T]], *args: Any
    ) -> T | None:
        """Tell the store how a call went: its failure never reaches the call.

        Under asyncio it is told even if the call's task is cancelled meanwhile.
        """
        try:
            return await self._asked(runtime, method, *args)
        except Exception as error:  # noqa: BLE001 - the answer is with its caller already; the failure is logged and must not take it away
            self._failed(error)
        return None

    async def close(self, runtime: Runtime, store: Callable[[Runtime], Awaitable[object]]) -> None:
        """Close the store by calling ``store``, once what goes on after its call is done."""
        if runtime.is_async:
            loop = asyncio.get_running_loop()
            of_guards = tuple(_running.items())
            tasks = [task for task, of in of_guards if of is self and task.get_loop() is loop]
            if tasks:
                await asyncio.wait(tasks, timeout=self._seconds)
        await self.tell(runtime, store)

    async def _asked(
        self,
        runtime: Runtime,
        method: Callable[..., Awaitable[T]],
        *args: Any,
        late: Callable[[T], Awaitable[object]] | None = None,
    ) -> T:
        if not (runtime.is_async and self._is_shared):
            return await method(runtime, *args)
        task = self._begin(method(runtime, *args))
        try:
            await asyncio.wait((task,), timeout=self._seconds)
        except BaseException:
            if late is not None:
                self._begin(_give(task, late))
            raise
        if task.done():
            return task.result()
        if late is None:
            task.cancel()
        else:
            self._begin(_give(task, late))
        raise TimeoutError

    def _begin(self, work: Awaitable[T]) -> asyncio.Task[T]:
        """Run it in a task that nobody has to wait for."""

        async def body() -> T:
            return await work

        task = asyncio.get_running_loop().create_task(body())
        _running[task] = self
        task.add_done_callback(_heard)
        return task

    def _failed(self, error: Exception) -> None:
        self.failures += 1
        if self.failures == 1:
            _log.warning(
                "the store of %s (%s) failed (%s); this is not said again",
                self._plugin,
                self._name,
                type(error).__name__,
            )


async def _give(task: asyncio.Task[T], late: Callable[[T], Awaitable[object]]) -> None:
    await late(await task)


def _heard(task: asyncio.Task[Any]) -> None:
    """Take note of a failure after which nobody will ask."""
    _running.pop(task, None)
    if not task.cancelled():
        task.exception()
