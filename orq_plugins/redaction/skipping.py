"""What a pattern can't begin with, so that most places of a text are passed over at once."""

from __future__ import annotations

import re
import string
from functools import cache
from typing import Any

from orq_plugins.redaction._regex import (
    ONE_CHARACTER,
    REPEATS,
    Node,
    bodies,
    name_of,
    rebuilt,
    source,
)

ASCII = "".join(map(chr, range(128)))
LONGEST_WORD = 15
"""Letters of a plain word; longer ones may be keys."""

_NOTHING: Node = ("", None)
_LETTERS = frozenset(string.ascii_letters)
_BREAKS = frozenset(each for each in ASCII if not each.isalnum())


def breaks(nodes: list[Node]) -> frozenset[str]:
    """Return the characters that end a plain word so that a pattern has no place there.

    A plain word has up to `LONGEST_WORD` ASCII letters. With one of the characters behind it the
    pattern can neither match in it nor go on beyond it. Whatever is not certain is left out.
    """
    beyond: set[str] = set()
    least = _least(nodes, 0, beyond)
    if least is not None and least <= LONGEST_WORD:
        return frozenset()
    return _BREAKS - beyond


def _least(nodes: Any, letters: int, beyond: set[str]) -> int | None:
    """Return how many letters at least a sequence takes, None if it takes anything else.

    What it takes behind a word is added to ``beyond``.
    """
    for node in nodes:
        least = _step(node, letters, beyond)
        if least is None:
            return None
        letters = least
    return letters


def _step(node: Node, letters: int, beyond: set[str]) -> int | None:
    name, value = name_of(node), node[1]
    if name in ONE_CHARACTER:
        taken = _taken(source(node))
        if letters <= LONGEST_WORD:
            beyond |= taken
        return None if taken.isdisjoint(_LETTERS) else letters + 1
    if name == "SUBPATTERN" and (value[1] or value[2]):
        # With flags of its own it may take other characters than it seems to.
        beyond |= _BREAKS
        return None
    if name in REPEATS:
        low, _, body = value
        once = _least(body, letters, beyond)
        if low == 0:
            return letters
        return None if once is None else letters + low * (once - letters)
    if name in {"BRANCH", "SUBPATTERN"}:
        ways = [_least(body, letters, beyond) for body in bodies(node)]
        return min((way for way in ways if way is not None), default=None)
    return letters


@cache
def _taken(one: str) -> frozenset[str]:
    """Return the ASCII characters that a pattern of one character takes."""
    return frozenset(re.findall(one, ASCII))


def narrowed(nodes: list[Node], first: str) -> list[Node] | None:
    """Return what of a sequence can begin with an ASCII character, None if nothing can.

    Matches that begin with other characters may be among it, or not.
    """
    node, rest = (nodes[0], nodes[1:]) if nodes else (_NOTHING, [])
    name, value = name_of(node), node[1]
    if name in ONE_CHARACTER:
        return nodes if first in _taken(source(node)) else None
    if name == "BRANCH":
        ways = [way for body in value[1] if (way := narrowed(list(body), first)) is not None]
        kept = iter(ways)
        branch = rebuilt((node[0], (value[0], ways)), lambda _: next(kept))
        return [branch, *rest] if ways else None
    if name == "SUBPATTERN" and not (value[1] or value[2]):
        inner = narrowed(list(value[3]), first)
        return None if inner is None else [*inner, *rest]
    if name in REPEATS and narrowed(list(value[2]), first) is None:
        return narrowed(rest, first) if value[0] == 0 else None
    return nodes
