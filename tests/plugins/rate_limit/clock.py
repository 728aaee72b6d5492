"""Time that nobody waits for: an event loop and a thread whose pauses only move a clock."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from typing import Any

from orq_core import CallOptions
from orq_core._http import Wire
from orq_core._runtime import Asyncio, drive
from orq_core.call import Call
from orq_core.limits import Limits, Timeout
from orq_core.models import build_request, make_converter
from orq_core.testing import Mode
from tests.plugins.retries.scene import FakeRuntime

CONVERTER = make_converter()
REQUEST = {"model": "fake/model", "messages": [{"role": "user", "content": "hello"}]}


class _Selector(selectors.SelectSelector):
    """Lets time pass where the loop would wait."""

    def __init__(self) -> None:
        super().__init__()
        self.time = 1000.0

    def select(self, timeout: float | None = None) -> Any:
        found = super().select(0 if timeout is None or timeout > 0 else timeout)
        if found:
            return found
        if timeout is None:
            return super().select(None)
        self.time += max(0.0, timeout)
        return []


class TimeLoop(asyncio.SelectorEventLoop):
    """An event loop whose time jumps to when the next thing is due."""

    def __init__(self) -> None:
        self._clock = _Selector()
        super().__init__(self._clock)

    def time(self) -> float:
        return self._clock.time


def in_loop(body: Callable[[Any], Coroutine[Any, Any, Any]]) -> Any:
    """Run a body, which is given the runtime, on a loop of its own."""
    loop = TimeLoop()
    try:
        return loop.run_until_complete(body(Asyncio(loop.time)))
    finally:
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()


def run(mode: Mode, body: Callable[[Any], Coroutine[Any, Any, Any]]) -> Any:
    """Run a body, which is given the runtime, in either mode."""
    return in_loop(body) if mode.is_async else drive(body(FakeRuntime(is_async=False)))


def prepare(client: Any, runtime: Any) -> Any:
    """Give a client its clock."""
    core = client._core
    core.runtime = runtime
    if core.transport is not None:
        core._wire = Wire(core.transport, CONVERTER, core.manager.hook)
    return client


def call_of(runtime: Any, timeout: float | None = None, **fields: Any) -> Call:
    """Return a call as layers are given it."""
    return Call(
        build_request(CONVERTER, {**REQUEST, **fields}),
        stream=False,
        url="https://router.example.test/v2/router/chat/completions",
        options=CallOptions(),
        runtime=runtime,
        limits=Limits.start(Timeout(total=timeout), runtime.now),
    )
