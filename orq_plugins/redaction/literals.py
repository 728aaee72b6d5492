"""What the caller wrote that looks like a placeholder of something a function finds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orq_plugins._lock import Lock
from orq_plugins.redaction.vault import LITERAL, placeholders

if TYPE_CHECKING:
    from collections.abc import Iterable


class Literals:
    """Finds literal placeholders of entities beyond those that detectors are named after.

    A function may find entities of any name, so they are known only once it has found one. Then the
    request has to be looked through again.
    """

    def __init__(self, known: Iterable[str]) -> None:
        """Leave the literal placeholders of known entities to others."""
        self._known = frozenset(known)
        self._learnt = frozenset[str]()
        self._lock = Lock()

    def learn(self, entities: frozenset[str]) -> bool:
        """Look for the placeholders of these too; tell whether any is new."""
        with self._lock:
            new = entities - self._known - self._learnt
            self._learnt |= new
        return bool(new)

    def find(self, text: str) -> list[tuple[int, int, str]]:
        """Find them in a text, mangled ones too."""
        if not self._learnt:
            return []
        return [(each.start, each.end, LITERAL) for each in placeholders(self._learnt).all(text)]
