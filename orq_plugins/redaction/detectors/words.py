"""Lists of words as one detector."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from orq_core import ConfigurationError
from orq_plugins.redaction.detectors.detector import Detector

if TYPE_CHECKING:
    from collections.abc import Iterable

_Trie = dict[str, "_Trie"]
_END = ""
_GAP = r"\s{1,4}"


def words(entity: str, listed: Iterable[str], *, ignore_case: bool = True) -> Detector:
    """Return a detector of whole words and phrases; the longest one wins.

    A space in a phrase stands for up to four spaces, tabs or line ends. The words share their
    beginnings, so that a long list costs little more than a short one. Raises ConfigurationError
    if the list is empty or holds an empty word.
    """
    root: _Trie = {}
    for word in listed:
        spelled = word.split()
        if not spelled:
            raise ConfigurationError(f"words: {entity}: a word is empty")
        node = root
        for place, part in enumerate(spelled):
            for step in (*((_GAP,) if place else ()), *part):
                node = node.setdefault(step.lower() if ignore_case else step, {})
        node[_END] = {}
    if not root:
        raise ConfigurationError(f"words: {entity}: no words are given")
    # A word that begins or ends with a mark, such as C++, needs no boundary there.
    return Detector(entity, _source(root, first=True), ignore_case=ignore_case)


def _source(node: _Trie, *, first: bool = False) -> str:
    branches: list[str] = []
    for step, below in node.items():
        if step == _END:
            continue
        literal = step if step == _GAP else re.escape(step)
        before = r"(?<!\w)" if first and _is_word(step) else ""
        after = r"(?!\w)" if _END in below and _is_word(step) else ""
        rest = _source(below)
        branches.append(f"{before}{literal}{_ended(rest, after) if _END in below else rest}")
    return branches[0] if len(branches) == 1 else f"(?:{'|'.join(branches)})" if branches else ""


def _ended(rest: str, after: str) -> str:
    return f"(?:{rest}|{after})" if rest else after


def _is_word(step: str) -> bool:
    return step != _GAP and (step.isalnum() or step == "_")
