"""Regular expressions as the trees that `re` itself parses them into, and back to their source."""

from __future__ import annotations

import importlib
import re
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

# The parser of `re` has no public name; it was moved in Python 3.11.
_parser: Any = importlib.import_module("re._parser" if sys.version_info >= (3, 11) else "sre_parse")
_constants: Any = importlib.import_module(
    "re._constants" if sys.version_info >= (3, 11) else "sre_constants"
)

Node = tuple[Any, Any]
"""An operation and its operands, as the parser of `re` gives them."""

REPEATS = frozenset({"MAX_REPEAT", "MIN_REPEAT"})
ONE_CHARACTER = frozenset({"LITERAL", "NOT_LITERAL", "ANY", "IN"})
_HOLDERS = frozenset({"ASSERT", "ASSERT_NOT", "SUBPATTERN"})
_CATEGORIES = {
    "CATEGORY_DIGIT": r"\d",
    "CATEGORY_NOT_DIGIT": r"\D",
    "CATEGORY_SPACE": r"\s",
    "CATEGORY_NOT_SPACE": r"\S",
    "CATEGORY_WORD": r"\w",
    "CATEGORY_NOT_WORD": r"\W",
}
# A stream has no beginning to look back at, and no end before it is over.
_PLACES = {"AT_BOUNDARY": r"\b", "AT_NON_BOUNDARY": r"\B"}


_FLAGS = {
    "i": re.IGNORECASE,
    "s": re.DOTALL,
    "m": re.MULTILINE,
    "x": re.VERBOSE,
    "a": re.ASCII,
    "u": re.UNICODE,
}  # as in ``(?i:…)``


class PatternError(ValueError):
    """A regular expression has a construct whose matches can't be told from their beginnings."""


def parse(pattern: str) -> list[Node]:
    """Return the nodes of a pattern; raises PatternError for what is no regular expression."""
    try:
        return list(_parser.parse(pattern))
    except re.error as error:
        raise PatternError(f"not a regular expression: {error.msg}") from error


def width(pattern: str) -> int:
    """Return the length of the longest match.

    Raises PatternError for one without a limit.
    """
    longest = int(_parser.parse(pattern).getwidth()[1])
    if longest >= int(_constants.MAXREPEAT):
        raise PatternError("its matches have no greatest length; write {m,n} for * and +")
    return longest


def name_of(node: Node) -> str:
    """Return the name of a node's operation, as in ``MAX_REPEAT``."""
    return str(node[0])


def made(name: str, value: Any) -> Node:
    """Return a node of the operation of that name."""
    return getattr(_constants, name), value


def bodies(node: Node) -> list[Any]:
    """Return the sequences of nodes that a node holds."""
    name, value = name_of(node), node[1]
    if name == "BRANCH":
        return list(value[1])
    if name in REPEATS or name in _HOLDERS:
        return [value[-1]]
    return []


def rebuilt(node: Node, change: Callable[[Any], list[Node]]) -> Node:
    """Return a node with each of its `bodies` changed."""
    operation, value = node
    new = [_parser.SubPattern(_parser.State(), change(body)) for body in bodies(node)]
    if name_of(node) == "BRANCH":
        return operation, (value[0], new)
    return (operation, (*value[:-1], *new)) if new else node


def sequence(nodes: Any) -> str:
    """Write nodes that follow each other."""
    return "".join(source(node) for node in nodes)


def source(node: Node) -> str:
    """Write one node; raises PatternError for what has no place in a detector."""
    name = name_of(node)
    write = _WRITERS.get(name)
    if write is None:
        raise PatternError(f"{name.lower()} has no place in a detector")
    return write(name, node[1])


def bounds(low: int, high: Any) -> str:
    """Write how often a body is repeated."""
    return f"{{{low},{'' if high >= _constants.MAXREPEAT else high}}}"


def flagged(add: int, remove: int, body: str) -> str:
    """Write a group with flags of its own, ``(?i:…)``."""
    letters = {
        re.IGNORECASE: "i",
        re.DOTALL: "s",
        re.MULTILINE: "m",
        re.VERBOSE: "x",
        re.ASCII: "a",
        re.UNICODE: "u",
    }
    on = "".join(letter for flag, letter in letters.items() if add & flag)
    off = "".join(letter for flag, letter in letters.items() if remove & flag)
    return f"(?{on}{'-' + off if off else ''}:{body})"


def _literal(name: str, value: int) -> str:
    return re.escape(chr(value)) if name == "LITERAL" else f"[^{re.escape(chr(value))}]"


def _repeat(name: str, value: Any) -> str:
    low, high, body = value
    return f"(?:{sequence(body)}){bounds(low, high)}{'?' if name == 'MIN_REPEAT' else ''}"


def _branch(_: str, value: Any) -> str:
    return f"(?:{'|'.join(sequence(branch) for branch in value[1])})"


def _group(_: str, value: Any) -> str:
    return flagged(value[1], value[2], sequence(value[3]))


def _look(name: str, value: Any) -> str:
    direction, body = value
    return f"(?{'<' if direction < 0 else ''}{'=' if name == 'ASSERT' else '!'}{sequence(body)})"


def _at(_: str, value: Any) -> str:
    if str(value) not in _PLACES:
        raise PatternError(f"{str(value).lower()} has no place in a detector")
    return _PLACES[str(value)]


def _set(_: str, items: Any) -> str:
    written: list[str] = []
    negated = ""
    for name, value in ((str(item[0]), item[1]) for item in items):
        if name == "NEGATE":
            negated = "^"
        elif name == "LITERAL":
            written.append(re.escape(chr(value)))
        elif name == "RANGE":
            written.append(f"{re.escape(chr(value[0]))}-{re.escape(chr(value[1]))}")
        else:
            written.append(_CATEGORIES[str(value)])
    return f"[{negated}{''.join(written)}]"


def _any(_: str, __: Any) -> str:
    return "."


_WRITERS: dict[str, Callable[[str, Any], str]] = {
    "ANY": _any,
    "ASSERT": _look,
    "ASSERT_NOT": _look,
    "AT": _at,
    "BRANCH": _branch,
    "IN": _set,
    "LITERAL": _literal,
    "MAX_REPEAT": _repeat,
    "MIN_REPEAT": _repeat,
    "NOT_LITERAL": _literal,
    "SUBPATTERN": _group,
}
