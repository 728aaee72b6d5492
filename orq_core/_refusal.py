"""An answer whose status is an error, and what must not be quoted of it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from orq_core.errors import OrqError
from orq_core.errors._from_status import status_error

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from orq_core.transports import Response

# No reason is longer, and a compressed one may grow a thousandfold.
_ERROR_BYTES = 4 * 2**20
_SHORTEST = 6  # characters of a cookie's value that is hidden on its own
_PRIVATE = re.compile(r"auth|(?<!idempotency-)key|token|secret|cookie", re.IGNORECASE)


def secrets_of(headers: Mapping[str, str], key: str | None) -> tuple[str, ...]:
    """Return the key, and what headers of the caller's or a plugin's have in its place."""
    words = [] if key is None else [key]
    for name, value in headers.items():
        if _PRIVATE.search(name):
            words.append(value.rpartition(" ")[2])
        if "cookie" in name.lower():
            words += _cookies(value)
    return tuple(words)


def _cookies(header: str) -> Iterator[str]:
    """Yield each pair, and its value where that is no word that any answer may hold."""
    for pair in header.split(";"):
        yield pair.strip()
        value = pair.partition("=")[2].strip(' "')
        if len(value) >= _SHORTEST:
            yield value


async def refusal(response: Response, secrets: tuple[str, ...], max_bytes: int) -> OrqError:
    """Make the error of a status; of a body that breaks off, what has arrived is told."""
    body, broken = bytearray(), None
    limit = min(max_bytes, _ERROR_BYTES)
    try:
        while len(body) < limit and (data := await response.receive()):
            body += data
    except OrqError as cause:
        broken = cause
    error = status_error(response.status, dict(response.headers), bytes(body), secrets)
    error.__cause__ = broken
    # The cause's traceback refers to this frame.
    del broken
    return error
