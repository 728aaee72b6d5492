"""What a scenario left behind: threads, descriptors, tasks, warnings, generators, calls."""

from __future__ import annotations

import asyncio
import gc
import os
import sys
import threading
import types
from typing import TYPE_CHECKING, Any

from orq_core._json import is_object
from orq_core.testing.conformance.origin import place
from orq_core.testing.conformance.probes import suspended_at

if TYPE_CHECKING:
    from warnings import WarningMessage

    from orq_core.testing.conformance.seen import Seen
    from orq_core.testing.scripted import ScriptedTransport

_DESCRIPTORS = ("/proc/self/fd", "/dev/fd")
_GRACE = 0.1  # seconds that tasks have to end after their client


class Inventory:
    """The threads and descriptors of this process at one moment."""

    def __init__(self) -> None:
        """Count them."""
        self.threads = set(threading.enumerate())
        self.descriptors = _descriptors()

    def more(self, seen: Seen, opened: str | None) -> list[tuple[str, str]]:
        """List what is there now and was not then, with the lines that may be the cause."""
        definition = seen.origin.definition
        found: list[tuple[str, str]] = []
        for thread in set(threading.enumerate()) - self.threads:
            frame = sys._current_frames().get(thread.ident or 0)  # noqa: SLF001 - documented in spite of its name, and the only way to the frame of another thread
            where = seen.origin.of_frame(frame) or opened or definition
            found.append((f"the thread {thread.name!r} runs on", where))
        for number, target in _descriptors().items():
            if self.descriptors.get(number) != target:
                kind = "a socket" if target.startswith("socket:") else target
                found.append((f"the descriptor of {kind} is open", opened or definition))
        return found


def _descriptors() -> dict[str, str]:
    for folder in _DESCRIPTORS:
        if os.path.isdir(folder):  # noqa: PTH112 - the folder is listed and its entries are read as text below, for every step of a check
            targets: dict[str, str] = {}
            for number in os.listdir(folder):  # noqa: PTH208 - the entries are numbers of descriptors, which are wanted as text
                try:
                    targets[number] = os.readlink(f"{folder}/{number}")  # noqa: PTH115 - what a descriptor refers to is compared as text; of a socket it is no path
                except OSError:
                    continue
            return targets
    return {}


async def tasks_left(seen: Seen) -> None:
    """Note the tasks that outlive their client, and cancel them."""
    me = asyncio.current_task()
    others = [task for task in asyncio.all_tasks() if task is not me]
    if others:
        await asyncio.wait(others, timeout=_GRACE)
    for task in others:
        if not task.done():
            coroutine: Any = task.get_coro()
            stack = task.get_stack()
            where = seen.origin.of_frame(stack[-1]) if stack else None
            name = getattr(coroutine, "__qualname__", type(coroutine).__name__)
            seen.left.append((f"the task of {name} is pending", where or seen.origin.definition))
            task.cancel()


def answers_left(seen: Seen, transport: ScriptedTransport) -> None:
    """Note the answers whose connection was not given back."""
    if transport.open_responses:
        where = seen.asked or seen.origin.definition
        seen.left.append(("an answer was not closed", where))


def warned(seen: Seen, caught: list[WarningMessage], opened: str | None) -> None:
    """Note the warnings about what was not closed or not awaited."""
    for each in caught:
        if issubclass(each.category, (ResourceWarning, RuntimeWarning)):
            own = seen.origin.owns(each.filename)
            where = place(each.filename, each.lineno) if own else None
            text = str(each.message).partition("\n")[0]
            seen.left.append(
                (f"{each.category.__name__}: {text}", where or opened or seen.origin.definition)
            )


def unfinished(seen: Seen) -> None:
    """Note the generators of the plugin that still wait at a line."""
    for reference in seen.generators:
        where = suspended_at(reference())
        if where is not None:
            seen.unfinished.append(where)
    seen.generators.clear()


def calls_left(seen: Seen) -> None:
    """Note the calls that something refers to although they are over; needs gc to be off."""
    for reference in seen.calls:
        call: Any = reference()
        if call is None:
            continue
        text, where = _holder(seen, call)
        del call
        gc.collect()
        if reference() is None:
            seen.kept.append(("a reference cycle keeps the call: forget the exception", where))
        else:
            seen.kept.append((text, where))
    seen.calls.clear()


def _holder(seen: Seen, call: Any) -> tuple[str, str]:
    definition = seen.origin.definition
    referrers = gc.get_referrers(call)
    for referrer in referrers:
        if isinstance(referrer, types.FrameType) and seen.origin.owns(referrer.f_code.co_filename):
            return "a frame keeps the call", place(referrer.f_code.co_filename, referrer.f_lineno)
    for referrer in referrers:
        if is_object(referrer):
            for name in [name for name, value in referrer.items() if value is call]:
                where = seen.origin.writes(str(name))
                return f"`{name}` keeps the call", where or definition
    return "something keeps the call", seen.origin.writes() or definition
