"""Placeholders: which value each stands for, and how they are found again in what a model wrote."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from orq_plugins._lock import Lock
from orq_plugins.redaction.detectors import Detector
from orq_plugins.redaction.matcher import Matcher

if TYPE_CHECKING:
    from collections.abc import Iterable

LITERAL = "LITERAL"
"""The entity of a text that looked like a placeholder before any was made."""

_OPENERS = r"\\?(?:<|&lt;|&#60;|&#x3c;|\[|\{|\()[ \t`\\]{0,3}"
_CLOSERS = r"[ \t`\\]{0,3}(?:>|&gt;|&#62;|&#x3e;|\]|\}|\))"
_BETWEEN = r"(?: ?\\{0,2}_ ?|[ \-])"
_NUMBER = re.compile(rf"([0-9]{{1,6}}){_CLOSERS}\Z", re.IGNORECASE)


class Vault:
    """Values by placeholder, for one conversation or for as long as you keep it.

    The same value has the same placeholder, ``<EMAIL_1>``; numbers count up per entity. Pass one to
    several calls with ``plugin_options={"redaction": {"vault": vault}}`` to keep the numbers.

    Thread-safe. Values appear in no repr, and a vault can't be pickled or copied.
    """

    def __init__(self) -> None:
        """Begin empty."""
        self._lock = Lock()
        self._values: dict[str, str] = {}
        self._placeholders: dict[tuple[str, str], str] = {}
        self._numbers: dict[str, int] = {}

    def placeholder(self, entity: str, value: str) -> str:
        """Return the value's placeholder, a new one if it has none yet."""
        with self._lock:
            known = self._placeholders.get((entity, value))
            if known is not None:
                return known
            number = self._numbers[entity] = self._numbers.get(entity, 0) + 1
            name = f"<{entity}_{number}>"
            self._placeholders[entity, value] = name
            self._values[name] = value
            return name

    def known(self, entity: str, value: str) -> str | None:
        """Return the placeholder of a value that has one."""
        return self._placeholders.get((entity, value))

    def value(self, placeholder: str) -> str | None:
        """Return what a placeholder stands for, None if it stands for nothing here."""
        return self._values.get(placeholder)

    @property
    def entities(self) -> frozenset[str]:
        """The entities of the values it holds."""
        return frozenset(self._numbers)

    def trial(self) -> Vault:
        """Return another vault with the same values; what is added to it is not added here."""
        other = Vault()
        with self._lock:
            other._values.update(self._values)
            other._placeholders.update(self._placeholders)
            other._numbers.update(self._numbers)
        return other

    def clear(self) -> None:
        """Forget everything; placeholders made so far can't be restored any more."""
        with self._lock:
            self._values.clear()
            self._placeholders.clear()
            self._numbers.clear()

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"<Vault of {len(self)} values>"

    def __reduce__(self) -> Any:
        raise TypeError("a vault holds private values: it can't be pickled or copied")


def canonical(written: str, entity: str) -> str | None:
    """Return the placeholder that a mangled one means, ``<EMAIL_1>`` for ``[email 1]``."""
    number = _NUMBER.search(written)
    return None if number is None else f"<{entity}_{int(number[1])}>"


@lru_cache(maxsize=64)
def placeholders(entities: frozenset[str]) -> Matcher:
    """Return what finds placeholders of these entities in a text, mangled ones too.

    Models change their case, put spaces, backslashes or backticks into them, write other brackets,
    or escape them for HTML.
    """
    return Matcher.of(placeholder_detectors(sorted(entities, key=lambda name: (-len(name), name))))


def placeholder_detectors(entities: Iterable[str]) -> list[Detector]:
    """Return a detector of placeholders for each entity."""
    return [Detector(entity, _pattern(entity), ignore_case=True) for entity in entities]


def _pattern(entity: str) -> str:
    words = _BETWEEN.join(re.escape(word) for word in entity.split("_"))
    return rf"{_OPENERS}{words}{_BETWEEN}[0-9]{{1,6}}{_CLOSERS}"
