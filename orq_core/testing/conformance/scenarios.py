"""The ways in which a call goes and ends."""

from __future__ import annotations

import asyncio
import warnings
from typing import TYPE_CHECKING, Any, Literal

from attrs import define

from orq_core.testing.conformance import scripts
from orq_core.testing.conformance.probes import OutsideError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from orq_core.testing.conformance.seen import Seen
    from orq_core.testing.modes import Mode
    from orq_core.testing.replies import Reply

_TURNS = 200  # of the event loop, within which a stream that was dropped has to be closed
_PATIENCE = 5.0  # seconds until a call that is to be cancelled has reached the server

Expected = Literal["ok", "left", "error", "stopped"]


@define
class Act:
    """One call that a scenario makes."""

    mode: Mode
    client: Any
    seen: Seen
    request: dict[str, Any]
    gate: scripts.Gate

    async def create(self) -> Any:
        """Ask."""
        return await self.mode.create(self.client, **self.request)

    async def next(self, stream: Any) -> Any:
        """Read one chunk; raises what ends a stream."""
        return await stream.__anext__() if self.mode.is_async else next(stream)


async def read_all(act: Act) -> None:
    """Read the answer to its end."""
    answer = await act.create()
    act.seen.notes = answer.info.notes
    whole = await act.mode.completion(answer) if act.seen.stream else answer
    act.seen.reasons = [choice.finish_reason for choice in whole.choices]


async def leave(act: Act) -> None:
    """Leave the ``with`` block after some chunks."""
    stream = await act.create()
    for _ in range(scripts.PASSED):
        await act.next(stream)
    act.seen.leaving = True
    await act.mode.close(stream)


async def close(act: Act) -> None:
    """Close before the first chunk is read."""
    stream = await act.create()
    act.seen.leaving = True
    await act.mode.close(stream)


async def drop(act: Act) -> None:
    """Forget the stream."""
    stream = await act.create()
    await act.next(stream)
    act.seen.leaving = True
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "a stream was dropped", ResourceWarning)
        del stream
    for _ in range(_TURNS if act.mode.is_async else 0):
        if act.seen.outer_endings and all(each() is None for each in act.seen.generators):
            break
        await asyncio.sleep(0)


async def cancel(act: Act) -> None:
    """Cancel the task while the server lets it wait."""
    task = asyncio.ensure_future(read_all(act))
    loop = asyncio.get_running_loop()
    latest = loop.time() + _PATIENCE
    while not (act.gate.reached or task.done()) and loop.time() < latest:  # noqa: ASYNC110 - waits for one of two things, of which a thread that knows no loop may set one
        await asyncio.sleep(0.001)
    act.seen.leaving = not task.done()
    task.cancel()
    try:
        await task
    finally:
        del task


@define(frozen=True)
class Scenario:
    """A name, who does what, and how it has to end for the caller.

    ``error``: what the caller has to meet; where it is None, what the plugin met.
    """

    name: str
    act: Callable[[Act], Awaitable[None]]
    expected: Expected
    error: type[BaseException] | None = None
    answers: Callable[[scripts.Gate, bool], Reply] = lambda _, streamed: scripts.good(
        streamed=streamed
    )
    modes: tuple[str, ...] = ("sync", "async")
    kinds: tuple[bool, ...] = (False, True)
    fails: Literal["outside", "inside"] | None = None


_STREAMS = (True,)


def _refused(gate: scripts.Gate, streamed: bool) -> Reply:
    del gate, streamed
    return scripts.refused()


SCENARIOS = (
    Scenario("exhausted", read_all, "ok"),
    Scenario("break", leave, "left", kinds=_STREAMS),
    Scenario("close", close, "left", kinds=_STREAMS),
    Scenario("drop", drop, "left", kinds=_STREAMS),
    Scenario(
        "cancel",
        cancel,
        "stopped",
        asyncio.CancelledError,
        lambda gate, streamed: scripts.waiting(gate, streamed=streamed),
        modes=("async",),
    ),
    Scenario(
        "ctrl-c",
        read_all,
        "stopped",
        scripts.Interrupted,
        lambda _, streamed: scripts.interrupted(streamed=streamed),
        modes=("sync",),
    ),
    Scenario("error-first", read_all, "error", answers=_refused),
    Scenario(
        "error-middle",
        read_all,
        "error",
        answers=lambda _, streamed: scripts.broken(streamed=streamed),
    ),
    Scenario(
        "error-end",
        read_all,
        "error",
        answers=lambda _, streamed: scripts.truncated(streamed=streamed),
    ),
    Scenario("outside-fails", read_all, "left", OutsideError, fails="outside"),
    Scenario("inside-fails", read_all, "error", fails="inside"),
)
