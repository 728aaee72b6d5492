"""Layers from plain functions: `observe` looks on, `transform` changes."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any, Literal

from attrs import define, field

from orq_core.errors import APITimeoutError, StreamInterruptedError, StreamTruncatedError

if TYPE_CHECKING:
    from collections.abc import Callable

    from orq_core.call import Call, Item, Items, Layer, Proceed
    from orq_core.models import ChatCompletionRequest

Outcome = Literal["ok", "error", "truncated", "stalled", "deadline", "cancelled", "closed_early"]

_log = logging.getLogger("orq")


@define(frozen=True)
class Ending:
    """How a call ended: exactly one for each call, whatever the way out.

    ``items`` counts what passed, ``seconds`` is the time from the layer's start; ``error`` is the
    exception that ended it, None for ok and closed_early.
    """

    outcome: Outcome
    items: int
    seconds: float
    error: BaseException | None = field(default=None, repr=False)


_OUTCOMES: tuple[tuple[type[BaseException], Outcome], ...] = (
    (GeneratorExit, "closed_early"),
    (asyncio.CancelledError, "cancelled"),
    (KeyboardInterrupt, "cancelled"),
    (StreamTruncatedError, "truncated"),
    (StreamInterruptedError, "truncated"),
)
_TIMED_OUT: dict[str, Outcome] = {"total": "deadline", "idle": "stalled", "first_event": "stalled"}


def outcome_of(error: BaseException | None) -> Outcome:
    """Name what an exception at a layer's ``yield`` or ``async for`` means for the call."""
    if error is None:
        return "ok"
    if isinstance(error, APITimeoutError):
        return _TIMED_OUT.get(error.kind, "error")
    for kind, outcome in _OUTCOMES:
        if isinstance(error, kind):
            return outcome
    return "error"


def observe(
    *,
    start: Callable[[ChatCompletionRequest], object] | None = None,
    item: Callable[[Item], object] | None = None,
    end: Callable[[Ending], object] | None = None,
) -> Layer:
    """Build a layer that looks on and changes nothing.

    ``start`` is called with the request, ``item`` with each item, ``end`` with one `Ending`, once,
    on every way out. An observer fails open: its exception is logged once per layer, and the call
    goes on.
    """
    guard = _Guard()

    async def observing(call: Call, request: ChatCompletionRequest, proceed: Proceed) -> Items:
        began, count, error = call.now(), 0, None
        try:
            if start is not None:
                guard(start, request)
            async for each in proceed(request):
                count += 1
                if item is not None:
                    guard(item, each)
                yield each
        except BaseException as caught:
            error = caught
            raise
        finally:
            if end is not None:
                kept = None if isinstance(error, GeneratorExit) else error
                guard(end, Ending(outcome_of(error), count, call.now() - began, kept))
                # The traceback refers to this frame: without this, a cycle keeps the stream.
                error = kept = None

    return observing


def transform(
    *,
    request: Callable[[ChatCompletionRequest], ChatCompletionRequest] | None = None,
    item: Callable[[Item], Item | None] | None = None,
) -> Layer:
    """Build a layer that changes the request, the items, or both.

    ``request`` returns the request to send, ``item`` the item to pass on, or None to leave it out.
    A transform fails closed: its exception ends the call.
    """
    change = request

    async def transforming(call: Call, request: ChatCompletionRequest, proceed: Proceed) -> Items:
        del call
        async for each in proceed(request if change is None else change(request)):
            passed = each if item is None else item(each)
            if passed is not None:
                yield passed

    return transforming


class _Guard:
    """Calls an observer; reports its first exception and swallows all."""

    def __init__(self) -> None:
        self._reported = False

    def __call__(self, function: Callable[[Any], object], value: Any) -> None:
        try:
            function(value)
        except Exception:  # noqa: BLE001 - an observer only looks on: what it raises is logged here and must not end the call
            if not self._reported:
                self._reported = True
                name = getattr(function, "__qualname__", type(function).__name__)
                _log.exception("observer %s failed; the call goes on without it", name)
