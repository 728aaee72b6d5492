"""Many patterns as one, that gives up early at the places where none of them can match."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from orq_plugins.redaction.skipping import ASCII, LONGEST_WORD, narrowed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from orq_plugins.redaction._regex import Node
    from orq_plugins.redaction.closure import Guarded

_BEYOND = "\\x80-\U0010ffff"
_NEVER = r"(?!)"


class Union:
    """Alternatives: of each pattern what ``take`` takes, or what ``write`` writes of its tree.

    Before those that look back at something come three looks: at the character before, which most
    guards refuse when it is a letter; at the word, which is mostly a plain one; and at the first
    character. Of the others only those are tried that can begin with the character.
    """

    def __init__(
        self,
        take: Callable[[Guarded], str | None],
        write: Callable[[list[Node]], str | None],
    ) -> None:
        """Take the same of all patterns."""
        self._take = take
        self._write = write

    def of(self, parts: Iterable[Guarded]) -> re.Pattern[str]:
        """Compile the alternatives."""
        possible = [part for part in parts if self._take(part) is not None]
        guarded = [part for part in possible if part.guard]
        free = [part for part in possible if not part.guard]
        written = [
            *([f"{_looks(guarded)}(?:{self._grouped(guarded)})"] if guarded else ()),
            *([self._sorted(free)] if free else ()),
        ]
        return re.compile("|".join(written) or _NEVER)

    def _grouped(self, parts: Sequence[Guarded]) -> str:
        groups: dict[str, list[str]] = {}
        for part in parts:
            groups.setdefault(part.guard, []).append(self._take(part) or _NEVER)
        return "|".join(f"{guard}(?:{'|'.join(rests)})" for guard, rests in groups.items())

    def _sorted(self, parts: Sequence[Guarded]) -> str:
        """Write the alternatives for each character that some of them begin with."""
        begun: dict[str, list[str]] = {}
        first = frozenset[str]().union(*(part.begins for part in parts))
        for character in sorted(first):
            ways = [way for part in parts if (way := self._begun(part, character)) is not None]
            begun.setdefault("|".join(ways), []).append(character)
        # A look at the character is quicker than to begin with each way.
        alternatives = [f"(?=[{_class(those)}])(?:{ways})" for ways, those in begun.items()]
        whole = "|".join(self._take(part) or _NEVER for part in parts)
        alternatives.append(f"(?=[{_BEYOND}])(?:{whole})")
        return f"(?=[{_class(first)}{_BEYOND}])(?:{'|'.join(alternatives)})"

    def _begun(self, part: Guarded, character: str) -> str | None:
        if part.nodes is None:
            return self._take(part) if character in part.begins else None
        nodes = narrowed(part.nodes, character)
        return None if nodes is None else self._write(nodes)


def _looks(parts: Sequence[Guarded]) -> str:
    before = frozenset(ASCII).intersection(*(part.refused for part in parts))
    after = frozenset(ASCII).intersection(*(part.breaks for part in parts))
    first = frozenset[str]().union(*(part.begins for part in parts))
    # Beyond ASCII nothing is ruled out: that would take a look at each of a million characters.
    return (
        (f"(?<![{_class(before)}])" if before else "")
        + (f"(?![A-Za-z]{{1,{LONGEST_WORD}}}[{_class(after)}])" if after else "")
        + f"(?=[{_class(first)}{_BEYOND}])"
    )


def _class(characters: Iterable[str]) -> str:
    return "".join(f"\\x{ord(each):02x}" for each in sorted(characters))
