"""From an HTTP answer that is not a 2xx to the error that says so."""

from __future__ import annotations

import re
import time
from datetime import timezone
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from orq_core import errors
from orq_core.errors._body import NO_REASON, describe, one_line
from orq_core.errors._scrub import Scrub

if TYPE_CHECKING:
    from collections.abc import Mapping

_KINDS: dict[int, type[errors.APIStatusError]] = {
    400: errors.BadRequestError,
    401: errors.AuthenticationError,
    403: errors.PermissionDeniedError,
    404: errors.NotFoundError,
    409: errors.ConflictError,
    422: errors.UnprocessableEntityError,
    429: errors.RateLimitError,
}
_REDIRECTS = frozenset({300, 301, 302, 303, 307, 308})
_REQUEST_IDS = ("x-request-id", "x-orq-request-id", "request-id")
_PRIVATE_HEADERS = frozenset({"set-cookie", "set-cookie2", "authorization", "proxy-authorization"})
_NUMBER = re.compile(r"\d+(?:\.\d+)?", re.ASCII)


def status_error(
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    secrets: tuple[str, ...] = (),
) -> errors.APIStatusError:
    """Make the error for an answer whose status is not 2xx; of a text it keeps 64 Ki characters.

    Every occurrence of a secret in what the server sent is replaced by ``***``; one shorter than
    four characters is no secret and is left alone.
    """
    kind = _KINDS.get(status)
    if kind is None:
        kind = errors.InternalServerError if status >= 500 else errors.APIStatusError
    scrub = Scrub(secrets)
    known = {name: scrub.text(value) for name, value in known_headers(headers).items()}
    parsed = scrub.body(body)
    told = describe(parsed)
    message = scrub.text(_summary(status, known, told.message))
    return kind(
        one_line(message),
        status_code=status,
        body=parsed,
        headers=known,
        code=scrub.text(told.code) if isinstance(told.code, str) else told.code,
        type=told.type and scrub.text(told.type),
        param=told.param and scrub.text(told.param),
        retry_after=retry_after(known),
        request_id=_first(known, _REQUEST_IDS) or told.request_id or known.get("cf-ray"),
        trace_id=known.get("x-orq-trace-id"),
    )


def known_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Return what an error may tell of an answer's headers, names in lower case."""
    lower = {name.lower(): value for name, value in headers.items()}
    return {name: value for name, value in lower.items() if name not in _PRIVATE_HEADERS}


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds an answer asks to wait, None if it does not or can't be understood.

    Header names are in lower case. ``retry-after-ms`` goes before ``retry-after``, a date is
    judged by the answer's own ``date`` where it has one.
    """
    milliseconds = _number(headers.get("retry-after-ms", ""))
    if milliseconds is not None:
        return milliseconds / 1000
    value = headers.get("retry-after", "").strip()
    seconds = _number(value)
    if seconds is not None:
        return seconds
    until = _timestamp(value)
    if until is None:
        return None
    now = _timestamp(headers.get("date", ""))
    wait = until - (time.time() if now is None else now)
    return wait if wait >= 0 else None


def _number(value: str) -> float | None:
    number = float(value) if _NUMBER.fullmatch(value := value.strip()) else None
    return None if number == float("inf") else number


def _timestamp(value: str) -> float | None:
    try:
        moment = parsedate_to_datetime(value)
        # HTTP dates are in GMT, also in the old format that does not say so.
        return (moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def _first(headers: Mapping[str, str], names: tuple[str, ...]) -> str | None:
    return next((headers[name] for name in names if headers.get(name)), None)


def _summary(status: int, headers: Mapping[str, str], said: str) -> str:
    try:
        name = f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        name = f"{status} Overloaded" if status == 529 else f"{status}"
    if status in _REDIRECTS:
        return f"{name}: redirects are not followed{_target(headers.get('location', ''))}"
    # The title of a proxy's page often says just this.
    return name if said == NO_REASON or said.lower() == name.lower() else f"{name}: {said}"


def _target(location: str) -> str:
    """Name where a redirect leads: its host, since paths and queries may hold secrets."""
    try:
        host = urlsplit(location).hostname
    except ValueError:
        host = None
    return f" (this one leads to {host})" if host else ""
