"""A quick look that tells texts in which there is nothing to be found; extra ``re2``.

RE2 reads a text once, however many patterns it looks for, but knows no looks around. So it is given
patterns that match wherever the detectors' own do, and in other places too: what it does not match
is clear, and anything else is looked through as ever.
"""

from __future__ import annotations

import importlib
import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from orq_plugins.redaction._regex import REPEATS, Node, PatternError, name_of, parse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from orq_plugins.redaction.matcher import Matcher

_MEMORY = 2**26  # bytes that RE2 may take for a set of detectors; with fewer it is slow
_MOST = 20  # repeats that are counted; RE2 would need a state for each
_ANY = "(?s:.)"
# Which characters beyond ASCII are digits or letters differs between versions of Unicode.
_BEYOND = r"\x{80}-\x{10ffff}"
_CATEGORIES = {
    "CATEGORY_DIGIT": "0-9",
    "CATEGORY_SPACE": r"\x09-\x0d\x1c-\x20",
    "CATEGORY_WORD": "0-9A-Za-z_",
}
# What `re` takes for an ASCII letter when case is ignored: two i of Turkish, the Kelvin sign, and
# the long s.
_FOLDED = {"i": r"\x{130}\x{131}", "k": r"\x{212a}", "s": r"\x{17f}"}
_LETTERS = "A-Za-z" + "".join(_FOLDED.values())


@lru_cache(maxsize=64)
def prefilter(matcher: Matcher) -> Callable[[str], bool]:
    """Return what tells that a text holds nothing a matcher finds; it may say no to any text.

    It always says no without the package, for detectors that are functions, and for patterns that
    are too much for RE2.
    """
    try:
        engine: Any = importlib.import_module("re2")
    except ImportError:
        return _is_never_clear
    if matcher.callables:
        return _is_never_clear
    options: Any = engine.Options()
    options.max_mem, options.log_errors = _MEMORY, False
    try:
        source = "|".join(
            _sequence(parse(each.pattern), folds=each.ignore_case) for each in matcher.detectors
        )
        search: Callable[[str], Any] = engine.compile(source, options).search
    except (PatternError, engine.error):
        return _is_never_clear

    def is_clear(text: str) -> bool:
        try:
            return search(text) is None
        except UnicodeEncodeError:  # half of a surrogate pair
            return False

    return is_clear


def _is_never_clear(text: str) -> bool:
    del text
    return False


def _sequence(nodes: Iterable[Node], *, folds: bool) -> str:
    return "".join(_wider(node, folds=folds) for node in nodes)


def _wider(node: Node, *, folds: bool) -> str:
    """Write a node for RE2 so that it matches at least what it matches for `re`."""
    name, value = name_of(node), node[1]
    if name in {"LITERAL", "NOT_LITERAL"}:
        is_one = name == "LITERAL"
        return f"[{_character(value, folds=folds)}]" if is_one else f"[^{_escaped(value)}]"
    if name == "IN":
        return _set(value, folds=folds)
    if name in REPEATS:
        low, high, body = value
        most = "" if int(high) > _MOST else int(high)
        return f"(?:{_sequence(body, folds=folds)}){{{min(low, _MOST)},{most}}}"
    if name == "BRANCH":
        return f"(?:{'|'.join(_sequence(branch, folds=folds) for branch in value[1])})"
    if name == "SUBPATTERN":
        folds = bool((folds or value[1] & re.IGNORECASE) and not value[2] & re.IGNORECASE)
        return f"(?:{_sequence(value[3], folds=folds)})"
    # What is left is any character, or a condition, which only rules places out.
    return _ANY if name == "ANY" else ""


def _set(items: Any, *, folds: bool) -> str:
    """Write a set; of one that is negated, less is ruled out."""
    named = [(str(item[0]), item[1]) for item in items]
    negated = named[0][0] == "NEGATE"
    written: list[str] = []
    for name, value in named:
        if name == "LITERAL":
            written.append(_escaped(value) if negated else _character(value, folds=folds))
        elif name == "RANGE":
            written.append(f"{_escaped(value[0])}-{_escaped(value[1])}")
            if folds and not negated and value[1] >= ord("A"):
                written.append(_LETTERS + (_BEYOND if value[1] > 127 else ""))
        elif name == "CATEGORY" and str(value) in _CATEGORIES:
            written.append(_CATEGORIES[str(value)] + ("" if negated else _BEYOND))
        elif name == "CATEGORY" and not negated:
            return _ANY
    body = "".join(written)
    return f"[{'^' if negated else ''}{body}]" if body else _ANY


def _character(code: int, *, folds: bool) -> str:
    letter = chr(code)
    if not folds or not (letter.isalpha() or letter.lower() != letter.upper()):
        return _escaped(code)
    if code > 127:
        return "".join(each + each.upper() for each in _FOLDED) + _BEYOND
    small = letter.lower()
    return _escaped(ord(small)) + _escaped(ord(small.upper())) + _FOLDED.get(small, "")


def _escaped(code: int) -> str:
    return f"\\x{{{code:x}}}"
