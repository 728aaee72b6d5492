"""Whose limits hold in a request that several calls share, and what each is told of its end."""

from __future__ import annotations

import copy
import threading
from typing import TYPE_CHECKING, TypeVar

from orq_core import APITimeoutError, OrqError, StreamInterruptedError

if TYPE_CHECKING:
    from orq_core import Call

T = TypeVar("T")

# What an error holds that can be changed in place.
_CHANGEABLE = {"__notes__", "body", "headers", "partial"}


class LostError(Exception):
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


class Failure:
    """What ended a request that several calls share, as each of them is told of it.

    The one that leads is told the error itself, others a copy of what it was before anybody was
    told: their layers write private values of their own callers into it.
    """

    def __init__(self, error: BaseException) -> None:
        """Take the error before anybody is told."""
        self._error = error
        self._untold = _own(error)

    def told(self, call: Call, *, delivered: bool, leads: bool) -> BaseException:
        """Return what a caller is told."""
        error = self._error
        if isinstance(error, Exception):
            if leads:
                return error
            if not (isinstance(error, APITimeoutError) and _is_anothers(call, error)):
                return _own(self._untold)
        # Somebody else's deadline or interruption.
        if not delivered:
            return LostError()
        return StreamInterruptedError("the call whose request this one shared was stopped")


def copied(value: T) -> T:
    """Return a deep copy, or the value itself if it can't be copied."""
    try:
        return copy.deepcopy(value)
    except Exception:  # noqa: BLE001 - a plugin put something into it that can't be copied
        return value


def _own(error: BaseException) -> BaseException:
    """Copy one of this library's errors and what may be changed within it; pass others on."""
    if not isinstance(error, OrqError):
        return error
    try:
        own = copy.copy(error)
    except Exception:  # noqa: BLE001 - a plugin's own kind of error; whoever waits must hear of it
        return OrqError(f"the request that this call shared failed ({type(error).__name__})")
    held = own.__dict__
    held.update({name: copied(held[name]) for name in _CHANGEABLE & held.keys()})
    return own


def _is_anothers(call: Call, error: APITimeoutError) -> bool:
    """Tell whether a call's own limits would have let it wait longer."""
    if error.kind == "total" or error.seconds is None:
        return True
    own: float | None = getattr(call.limits.timeout, error.kind)
    return own is None or own > error.seconds
