"""Whether a failure may be followed by a repeat, and what the server asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from orq_core import (
    APIConnectionError,
    APIStatusError,
    APIStreamError,
    APITimeoutError,
    StreamInterruptedError,
    StreamTruncatedError,
)
from orq_plugins.retries.content import has_content

if TYPE_CHECKING:
    from orq_core import OrqError
    from orq_core.call import Call
    from orq_core.models import ChatCompletionRequest
    from orq_plugins.retries.policy import Schedule

# A limit that a pause does not lift.
_SPENT = frozenset(
    {
        "insufficient_quota",
        "quota_exceeded",
        "cost_budget_exceeded",
        "token_budget_exceeded",
    },
)
# What servers call a failure of their own inside an answer of status 200.
_PASSING = frozenset(
    {
        "api_error",
        "bad_gateway",
        "gateway_timeout",
        "internal_error",
        "internal_server_error",
        "server_error",
        "service_unavailable",
        "service_unavailable_error",
        "timeout_error",
        "too_many_requests",
        "unavailable",
    },
)


def repeatable(error: OrqError, call: Call, schedule: Schedule, *, routed: bool) -> bool:
    """Tell whether an attempt that failed so, with nothing of it passed on, may be repeated.

    ``routed``: the router repeats too, so only a failed connection is repeated here, and what the
    router itself asks to be sent again.
    """
    if isinstance(error, APIStatusError):
        return _refused(error, schedule, routed=routed)
    if isinstance(error, APIStreamError):
        return not routed and _reported(error, schedule)
    if not schedule.connections:
        return False
    if isinstance(error, APITimeoutError) and error.kind == "connect":
        return True
    if isinstance(error, APIConnectionError) and call.info.status is None:
        return True
    return not routed and _broken(error, call)


def asked_to_wait(error: OrqError) -> float | None:
    """Return the seconds a server asks to wait before a repeat."""
    return error.retry_after if isinstance(error, APIStatusError) else None


def is_routed(request: ChatCompletionRequest) -> bool:
    """Tell whether a request asks the router itself to repeat, or to go on to another model."""
    places: list[Any] = [request, _field(request, "orq")]
    return any(_field(place, name) for place in places for name in ("retry", "fallbacks"))


def _field(place: Any, name: str) -> Any:
    if isinstance(place, dict):
        return cast("dict[str, Any]", place).get(name)
    extra: dict[str, Any] = getattr(place, "extra", {})
    return extra[name] if name in extra else getattr(place, name, None)


def _broken(error: OrqError, call: Call) -> bool:
    """Tell whether an attempt ended without a word about why, and without content."""
    if isinstance(error, APITimeoutError):
        return error.kind != "total" and (call.info.status is None or call.stream)
    if isinstance(error, (StreamInterruptedError, StreamTruncatedError)):
        # A partial is there if the caller asked for one whole answer and it came in events.
        return not has_content(error.partial)
    return isinstance(error, APIConnectionError) and call.stream


def _refused(error: APIStatusError, schedule: Schedule, *, routed: bool) -> bool:
    told = error.headers.get("x-should-retry", "").strip().lower()
    if told == "false" or error.status_code == 402 or not _SPENT.isdisjoint(_words(error)):
        return False
    if routed:
        return error.status_code in {429, 503} and error.retry_after is not None
    return told == "true" or error.status_code in schedule.statuses


def _reported(error: APIStreamError, schedule: Schedule) -> bool:
    words = _words(error)
    if not _SPENT.isdisjoint(words):
        return False
    if error.status_code is not None:
        return error.status_code in schedule.statuses
    return any(
        word in _PASSING or word.startswith("rate_limit") or "overloaded" in word for word in words
    )


def _words(error: APIStatusError | APIStreamError) -> set[str]:
    """Return the names an error has: some servers say in the type what others say in the code."""
    return {str(word).lower() for word in (error.code, error.type) if word is not None}
