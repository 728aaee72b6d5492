"""Many patterns as one, that gives up early at the places where none of them can match."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from orq_plugins.redaction.closure import Guarded

_ASCII = [chr(code) for code in range(128)]
_BEYOND = "\\x80-\U0010ffff"
_NEVER = r"(?!)"


def union(parts: Sequence[Guarded], choose: Callable[[Guarded], str | None]) -> re.Pattern[str]:
    """Compile what ``choose`` takes of each part, as alternatives.

    Two looks come before them all: at the character before, which most guards refuse when it is a
    letter, and at the first one, which rules out most of the rest.
    """
    guarded = [part for part in parts if part.guard and choose(part) is not None]
    free = [part for part in parts if not part.guard and choose(part) is not None]
    written = [f"{_looks(some)}(?:{_groups(some, choose)})" for some in (guarded, free) if some]
    return re.compile("|".join(written) or _NEVER)


def _groups(parts: Iterable[Guarded], choose: Callable[[Guarded], str | None]) -> str:
    groups: dict[str, list[str]] = {}
    for part in parts:
        groups.setdefault(part.guard, []).append(choose(part) or _NEVER)
    return "|".join(f"{guard}(?:{'|'.join(rests)})" for guard, rests in groups.items())


def _looks(parts: Sequence[Guarded]) -> str:
    before = _class(c for c in _ASCII if all(_refuses(part, c) for part in parts))
    first = _class(c for c in _ASCII if any(_begins(part, c) for part in parts))
    # Beyond ASCII nothing is ruled out: that would take a look at each of a million characters.
    return (f"(?<![{before}])" if before else "") + f"(?=[{first}{_BEYOND}])"


def _class(characters: Iterable[str]) -> str:
    return "".join(f"\\x{ord(each):02x}" for each in characters)


def _refuses(part: Guarded, before: str) -> bool:
    return bool(part.guard) and re.compile(part.guard).match(before, 1) is None


def _begins(part: Guarded, first: str) -> bool:
    opening = part.opening or _NEVER
    return bool(re.match(part.rest, first) or re.match(opening, first))
