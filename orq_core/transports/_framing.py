"""Where the body of an answer ends, and whether it says so in one way only."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from orq_core.errors import APIConnectionError
from orq_core.transports._environment import place_of

if TYPE_CHECKING:
    from collections.abc import Sequence

SWITCHED = 101
WITHOUT_BODY = frozenset({204, 304})
_LENGTH = re.compile(r"[0-9]{1,18}")


def check_framing(url: str, status: int, lengths: Sequence[str], encodings: Sequence[str]) -> None:
    """Raise APIConnectionError for what RFC 9112, section 6.3, has a client refuse.

    ``lengths`` and ``encodings`` are the values of each Content-Length and Transfer-Encoding. Read
    by one rule where the server meant another, the rest of one answer is taken for the next one;
    and what follows a 101 is no HTTP.
    """
    if status == SWITCHED:
        raise APIConnectionError(f"{place_of(url)} changed to a protocol that was not asked for")
    if len(lengths) == 1 and not encodings and _LENGTH.fullmatch(lengths[0]):
        return
    fault = _fault([each.strip() for each in lengths], [each.strip() for each in encodings])
    if fault is not None:
        raise APIConnectionError(f"{place_of(url)} answered with {fault}")


def _fault(lengths: list[str], encodings: list[str]) -> str | None:
    if lengths and encodings:
        return "both a Content-Length and a Transfer-Encoding"
    if encodings and [each.lower() for each in encodings] != ["chunked"]:
        return "a Transfer-Encoding other than chunked"
    if len(set(lengths)) > 1:
        return "several values of Content-Length"
    if not all(map(_LENGTH.fullmatch, lengths)):
        return "a Content-Length that is no number of bytes"
    return None
