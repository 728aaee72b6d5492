"""Regular expressions of Go's syntax (RE2), rewritten for `re` and given a greatest length."""

from __future__ import annotations

import re
from typing import Any

from orq_plugins.redaction._regex import REPEATS, Node, PatternError, name_of, parse, sequence

_POSIX = {
    "alnum": "0-9A-Za-z",
    "alpha": "A-Za-z",
    "digit": "0-9",
    "lower": "a-z",
    "upper": "A-Z",
    "space": r"\s",
    "word": r"\w",
    "xdigit": "0-9A-Fa-f",
}
# The edges of a text as what is beside them: nothing.
_EDGES = {
    "AT_BEGINNING": r"(?<![\s\S])",
    "AT_BEGINNING_STRING": r"(?<![\s\S])",
    "AT_END": r"(?![\s\S])",
    "AT_END_STRING": r"(?![\s\S])",
}
_TOKEN = re.compile(
    r"\\(?P<escaped>.)|\[:(?P<posix>\w+):\]|\(\?(?P<flags>[a-zA-Z]+)\)|\(\?P<\w+>"
    r"|(?P<set>\[\^?\]?)|(?P<close>\])|(?P<open>\()|(?P<shut>\))|(?P<or>\|)|.",
    re.DOTALL,
)


def capturing(pattern: str) -> str:
    """Return the source for `re`, groups and limits as they are."""
    return _python(pattern)


def translated(pattern: str, limit: int) -> str:
    """Return the source for `re` of a detector: no group captures, no repeat is without an end.

    What has to follow a match, such as a quote or the end of the text, is looked at and not taken.
    Raises PatternError for what has no counterpart.
    """
    if pattern.startswith("(?i)"):
        return f"(?i:{translated(pattern[4:], limit)})"
    nodes = parse(_python(pattern))
    if nodes and _may_be_end(nodes[-1]):
        return f"{sequence(_all(nodes[:-1], limit))}(?={sequence(_all(nodes[-1:], limit))})"
    return sequence(_all(nodes, limit))


def _python(pattern: str) -> str:
    r"""Rewrite what only Go understands: ``\z``, ``[[:alnum:]]``, flags amid a pattern."""
    written: list[str] = []
    scopes: list[list[str]] = [[]]  # the flags set within each open group
    inside = False
    for token in _TOKEN.finditer(pattern):
        text = token[0]
        if token["escaped"]:
            text = r"\Z" if token["escaped"] == "z" else text
        elif token["posix"] and inside:
            text = _POSIX.get(token["posix"], "")
            if not text:
                raise PatternError(f"[:{token['posix']}:] is not known")
        elif inside:
            inside = not token["close"]
            text = "\\[" if text.startswith("[") else text
        elif token["set"]:
            inside = True
        elif token["flags"]:
            scopes[-1].append(token["flags"])
            text = f"(?{token['flags']}:"
        elif text.startswith("("):
            scopes.append([])
        elif token["shut"]:
            text = ")" * len(scopes.pop()) + ")" if len(scopes) > 1 else text
        elif token["or"]:
            flags = scopes[-1]
            text = ")" * len(flags) + "|" + "".join(f"(?{each}:" for each in flags)
        written.append(text)
    return "".join(written) + ")" * len(scopes[0])


def _bounded(node: Node, limit: int) -> Node:
    name, value = name_of(node), node[1]
    if name in REPEATS:
        low, high, body = value
        return node[0], (low, min(int(high), max(low, limit)), _all(body, limit))
    if name == "BRANCH":
        return node[0], (value[0], [_all(branch, limit) for branch in value[1]])
    if name == "SUBPATTERN":
        return node[0], (None, *value[1:3], _all(value[3], limit))
    if name == "AT" and str(value) in _EDGES:
        return parse(_EDGES[str(value)])[0]
    return node


def _may_be_end(node: Node) -> bool:
    return name_of(node) == "BRANCH" and any(
        len(branch) == 1 and name_of(branch[0]) == "AT" and str(branch[0][1]).startswith("AT_END")
        for branch in node[1][1]
    )


def _all(nodes: Any, limit: int) -> list[Node]:
    return [_bounded(node, limit) for node in nodes]
