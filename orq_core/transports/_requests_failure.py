"""What the exceptions of requests and urllib3 mean."""

from __future__ import annotations

from http.client import HTTPException
from typing import TYPE_CHECKING

import requests
from urllib3.exceptions import HTTPError, NewConnectionError

from orq_core.errors import APIConnectionError, ConnectError, OrqError
from orq_core.transports._environment import causes_of, place_of, reason_of
from orq_core.transports._overdue import reached

if TYPE_CHECKING:
    from orq_core.transports import HttpRequest

FAILURES = (requests.RequestException, HTTPError, HTTPException, OSError)


def closed_here() -> APIConnectionError:
    """Make the error for a reader whose response was closed by another thread."""
    return APIConnectionError("the response was closed while it was being read")


def failure(
    error: Exception,
    http: HttpRequest,
    proxy: str | None = None,
    connect_at: float | None = None,
) -> OrqError:
    """Say what a backend's exception means.

    ``connect_at``: when a session of the caller's must have connected; it does not say when it has.
    """
    limits = http.limits
    reason = reason_of(error)
    timed_out = isinstance(error, (TimeoutError, requests.Timeout)) or "imeout" in reason
    unmade = isinstance(error, requests.ConnectTimeout)
    if unmade and reached(limits, connect_at):
        limits.phase, limits.phase_at = "connect", connect_at
        return limits.error()
    nearest = limits.next_at
    if (timed_out and reached(limits, nearest)) or (nearest and limits.clock() >= nearest):
        return limits.error()
    place, reason = place_of(http.url, proxy), "timed out" if timed_out else reason
    unmade = unmade or any(isinstance(cause, NewConnectionError) for cause in causes_of(error))
    if limits.phase == "connect" or unmade:
        return ConnectError(f"could not connect to {place}: {reason}")
    return APIConnectionError(f"the connection to {place} failed: {reason}")
