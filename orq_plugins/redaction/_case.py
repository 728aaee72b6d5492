"""Groups that ignore case, as groups that don't: ``(?i:key)`` is ``[KkK][Ee][Yy]``.

Of alternatives that begin with a character or a set `re` looks at that before it tries them; where
they ignore case it tries each of them in full, at every place.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Any

from orq_plugins.redaction._regex import Node, bodies, made, name_of, rebuilt

# The letters beyond ASCII that `re` takes for one of ASCII where it ignores case.
_BEYOND = "\u0130\u0131\u017f\u212a"


def cased(nodes: Any) -> list[Node]:
    """Return nodes that match the same.

    A group with other flags too, or with letters beyond those of ASCII, is left as it is.
    """
    return [_cased(node) for node in nodes]


def _cased(node: Node) -> Node:
    if name_of(node) != "SUBPATTERN":
        return node
    group, add, remove, body = node[1]
    if add != re.IGNORECASE or remove or not all(map(_is_simple, body)):
        return node
    return rebuilt((node[0], (group, 0, 0, body)), _widened)


def _is_simple(node: Node) -> bool:
    name, value = name_of(node), node[1]
    if name == "SUBPATTERN" and (value[1] or value[2]):
        return False
    if name in {"LITERAL", "NOT_LITERAL"}:
        letter = chr(value)
        return letter.isascii() or letter.lower() == letter.upper()
    if name == "RANGE":
        return chr(value[1]).isascii()
    inner = [value] if name == "IN" else bodies(node)
    return all(_is_simple(each) for body in inner for each in body)


def _widened(nodes: Any) -> list[Node]:
    widened: list[Node] = []
    for node in nodes:
        name, value = name_of(node), node[1]
        if name == "LITERAL":
            widened.append(made("IN", _alike(value)))
        elif name == "NOT_LITERAL":
            widened.append(made("IN", [made("NEGATE", None), *_alike(value)]))
        elif name == "IN":
            widened.append(made("IN", [each for item in value for each in _item(item)]))
        else:
            widened.append(rebuilt(node, _widened))
    return widened


def _item(item: Node) -> list[Node]:
    name, value = name_of(item), item[1]
    if name == "LITERAL":
        return _alike(value)
    if name == "RANGE":
        return [item, *(each for code in range(value[0], value[1] + 1) for each in _alike(code))]
    return [item]


@cache
def _alike(code: int) -> list[Node]:
    letter = chr(code)
    candidates = sorted({letter, letter.lower(), letter.upper(), *_BEYOND})
    same = re.compile(re.escape(letter), re.IGNORECASE).fullmatch
    return [made("LITERAL", ord(each)) for each in candidates if same(each)]
