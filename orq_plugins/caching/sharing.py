"""Whose limits hold in a request that several calls share, and what each is told of its end."""

from __future__ import annotations

import copy
import threading
from typing import TYPE_CHECKING

from orq_core import APITimeoutError, OrqError, StreamInterruptedError

if TYPE_CHECKING:
    from orq_core import Call


class Lost(Exception):  # noqa: N818 - it says that somebody else gave up
    """The request ended with the one who made it, before this caller had anything of it."""


def seconds_left(call: Call) -> float | None:
    """Return the seconds a call has left; raises APITimeoutError when it has none."""
    if call.limits.total_at is None:
        return None
    left = call.limits.total_at - call.now()
    if left <= 0:
        call.limits.phase_at = None
        raise call.limits.error()
    return min(left, threading.TIMEOUT_MAX)


def told_of(call: Call, error: BaseException, *, delivered: bool, leads: bool) -> BaseException:
    """Return what a caller is told of the end of a request that it shares."""
    if isinstance(error, Exception):
        if leads:
            return error
        if not (isinstance(error, APITimeoutError) and _is_anothers(call, error)):
            return copy.copy(error) if isinstance(error, OrqError) else error
    # Somebody else's deadline or interruption.
    if not delivered:
        return Lost()
    return StreamInterruptedError("the call whose request this one shared was stopped")


def _is_anothers(call: Call, error: APITimeoutError) -> bool:
    """Tell whether a call's own limits would have let it wait longer."""
    if error.kind == "total" or error.seconds is None:
        return True
    own: float | None = getattr(call.limits.timeout, error.kind)
    return own is None or own > error.seconds
