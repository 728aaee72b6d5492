"""The prefix closure of a regular expression: what can still become a match, or a longer one.

A streamed text may be given out up to the leftmost place from which a match could still begin or
grow. That place is found by another regular expression, derived here from the tree of the first
one: its alternatives are the beginnings of matches, each up to the end of the text. The notion is
that of the prefix-closed language; Brzozowski's derivatives (Journal of the ACM 11, 1964) name the
same states one character at a time.
"""

from __future__ import annotations

import re
from functools import cached_property
from itertools import takewhile
from typing import TYPE_CHECKING, Any

from attrs import define

from orq_plugins.redaction._case import cased
from orq_plugins.redaction._regex import (
    ONE_CHARACTER,
    REPEATS,
    Node,
    bounds,
    flagged,
    name_of,
    parse,
    sequence,
    source,
)
from orq_plugins.redaction.skipping import ASCII, breaks, narrowed

if TYPE_CHECKING:
    from collections.abc import Iterable

_END = r"\Z"


@define(frozen=True, eq=False)
class Guarded:
    """A pattern cut in two: what it looks back at, and the rest.

    ``opening`` is the closure of the rest, ``touch`` matches what either of them does. Of many
    patterns with the same guard it needs to be tried only once at each place. ``nodes`` is the tree
    of the rest, None where flags change what it says.
    """

    guard: str
    rest: str
    opening: str | None
    touch: str
    nodes: list[Node] | None

    @cached_property
    def refused(self) -> frozenset[str]:
        """The ASCII characters that may not stand before it."""
        if not self.guard:
            return frozenset()
        guard = re.compile(self.guard)
        return frozenset(each for each in ASCII if guard.match(each, 1) is None)

    @cached_property
    def begins(self) -> frozenset[str]:
        """The ASCII characters that it may begin with."""
        if self.nodes is None:
            touch = re.compile(self.touch)
            return frozenset(each for each in ASCII if touch.match(each))
        return frozenset(each for each in ASCII if narrowed(self.nodes, each) is not None)

    @cached_property
    def breaks(self) -> frozenset[str]:
        """The characters behind a plain word in which it has no place."""
        return frozenset() if self.nodes is None else breaks(self.nodes)


def guarded(pattern: str) -> Guarded:
    """Cut a pattern in two and derive its closure.

    The closure matches at each place, but for the end of the text, where ``pattern`` looked at that
    end on its way, so that more text could change what it finds there. Raises PatternError for
    constructs that don't allow this: back references, conditions, atomic groups, anchors.
    """
    nodes = cased(parse(pattern))
    if len(nodes) == 1 and name_of(nodes[0]) == "SUBPATTERN":
        _, add, remove, body = nodes[0][1]
        inner = _cut(list(body))
        if not add and not remove:
            return inner
        return Guarded(
            flagged(add, remove, inner.guard) if inner.guard else "",
            flagged(add, remove, inner.rest),
            None if inner.opening is None else flagged(add, remove, inner.opening),
            flagged(add, remove, inner.touch),
            None,
        )
    return _cut(nodes)


def context(pattern: str) -> tuple[int, int]:
    """Return how many characters before and after a match its pattern may look at."""
    nodes = parse(pattern)
    return _looks(nodes, -1), _looks(nodes, 1)


def _cut(nodes: list[Node]) -> Guarded:
    guards = list(takewhile(_looks_back, nodes))
    rest = nodes[len(guards) :]
    return Guarded(sequence(guards), sequence(rest), opening_of(rest), touch_of(rest), nodes=rest)


def opening_of(nodes: list[Node]) -> str | None:
    """Write the closure of a sequence, None if it can't be left unfinished."""
    return _follow(nodes, beginning=True)


def touch_of(nodes: list[Node]) -> str:
    """Write what matches all that a sequence or its closure matches."""
    return _follow(nodes, beginning=True, whole="") or ""


def _looks_back(node: Node) -> bool:
    return name_of(node) in {"ASSERT", "ASSERT_NOT"} and node[1][0] < 0


def _follow(nodes: Any, *, beginning: bool = False, whole: str | None = None) -> str | None:
    """Beginnings of a sequence: those of its first node, or that node and those of the rest.

    At the ``beginning`` of a pattern there must be at least one character of it: the end of a text
    is always open. ``whole`` is what follows the last node, if that is to be matched too.
    """
    found = whole
    given = list(nodes)
    for at in range(len(given) - 1, -1, -1):
        node = given[at]
        begun = _begun(node, beginning=beginning and at == 0)
        rest = None if found is None else source(node) + found
        found = _either((begun, rest))
    return found


def _either(choices: Iterable[str | None]) -> str | None:
    possible = [each for each in choices if each is not None]
    return f"(?:{'|'.join(possible)})" if possible else None


def _begun(node: Node, *, beginning: bool = False) -> str | None:
    """Beginnings of one node; None if it can't be left unfinished by the end of the text."""
    name, value = name_of(node), node[1]
    if name in ONE_CHARACTER:
        return None if beginning else _END
    if name in REPEATS:
        return _repeated(*value, beginning=beginning)
    if name == "BRANCH":
        return _either(_follow(branch, beginning=beginning) for branch in value[1])
    if name == "SUBPATTERN":
        inner = _follow(value[3], beginning=beginning)
        return None if inner is None else flagged(value[1], value[2], inner)
    if name in {"ASSERT", "ASSERT_NOT"}:
        direction, body = value
        # While it looks past the end, what it looks for may still come.
        ahead = rf"[\s\S]{bounds(0, max(0, body.getwidth()[1] - 1))}{_END}"
        return None if direction < 0 else ahead
    # Raises for whatever has no place here; what is left is a word boundary.
    return _END if source(node) else None


def _repeated(low: int, high: Any, body: Any, *, beginning: bool) -> str | None:
    del low
    inner = _follow(body)
    if inner is None or high == 0:
        return None
    if beginning and len(body) == 1 and name_of(body[0]) in ONE_CHARACTER:
        return None if high == 1 else f"(?:{sequence(body)}){bounds(1, high - 1)}{_END}"
    return inner if high == 1 else f"(?:{sequence(body)}){bounds(0, high - 1)}{inner}"


def _looks(nodes: Any, direction: int) -> int:
    return max((_look(node, direction) for node in nodes), default=0)


def _look(node: Node, direction: int) -> int:
    name, value = name_of(node), node[1]
    if name in REPEATS:
        return _looks(value[2], direction)
    if name == "BRANCH":
        return max(_looks(branch, direction) for branch in value[1])
    if name == "SUBPATTERN":
        return _looks(value[3], direction)
    if name in {"ASSERT", "ASSERT_NOT"}:
        way, body = value
        return int(body.getwidth()[1]) if way == direction else 0
    return 1 if name == "AT" else 0
