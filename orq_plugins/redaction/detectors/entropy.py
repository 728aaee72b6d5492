"""Secrets that are known by the name they are assigned to, ``name = value``."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from orq_plugins.redaction.detectors.checks import classes, entropy
from orq_plugins.redaction.detectors.detector import Detector

if TYPE_CHECKING:
    from collections.abc import Iterable

_PHRASES = r"(?:passw(?:or)?d|passphrase|passcode|pwd)[0-9]{0,2}"
_KEYS = (
    r"(?:secret|token|credential|api[ _-]?key"
    r"|(?:access|account|auth|encryption|master|private|secret|shared|signing)[ _-]?key)"
)
_ASSIGNED = r"[\"'`)\]]{0,2}[ \t]{0,4}(?:=>|:=|==|=|:)[ \t\r\n]{0,4}[\"'`]?"
_SAID = r"[ \t]{1,2}(?:(?:is|was)[ \t]{1,2})?[\"'`]?"
_SCHEME = r"(?:bearer|basic)[ \t]{1,2}"

# In a query the next parameter begins at &.
_ANY = r"(?:[^\s\"'`<>&]|&(?![a-z_]{1,12}=))"
_LAST = r"[^\s\"'`<>&,;.:]"
_KEY_BODY = r"[A-Za-z0-9+/=_.~!@#$%^*-]"
_KEY_LAST = r"[A-Za-z0-9+/=_~-]"

_CALL = re.compile(r"(?:\w{2,}\.)*[A-Za-z_]{3,}(?:\(.*|\[.*)")
_SNAKE = re.compile(r"[A-Za-z]+[0-9]{0,2}(?:[_.-][A-Za-z]+[0-9]{0,2})*")
_STAND_IN = re.compile(
    r"[$%@#]?[{\[<(].*|\$\w+|%\w+%?|.*(?:\.\.\.|…|\*{3}|x{4}).*|[*.x•-]+|redacted.*|your[_-].*",
    re.IGNORECASE,
)


class Assigned:
    """Accepts ``name = value`` by its value, unless one of ``others`` knows the value better."""

    def __init__(
        self, head: str, others: Iterable[Detector], *, password: bool, least: int
    ) -> None:
        """Split matches after ``head``; values have at least ``least`` characters."""
        self._head = re.compile(head, re.IGNORECASE)
        self._others = tuple(
            (re.compile(each.pattern, re.IGNORECASE if each.ignore_case else 0), each.accept)
            for each in others
        )
        self._password = password
        self._least = least

    def __call__(self, text: str) -> bool:
        """Tell whether the value is a secret."""
        head = self._head.match(text)
        value = text[head.end() :] if head else text
        if (
            len(value) < self._least
            or _STAND_IN.fullmatch(value)
            or _SNAKE.fullmatch(value.rstrip(")]}"))
        ):
            return False
        strong = self._is_password(value) if self._password else self._is_key(value)
        return strong and not self._is_known(value)

    def _is_known(self, value: str) -> bool:
        for pattern, accept in self._others:
            if pattern.fullmatch(value) and (accept is None or accept(value)):
                return True
        return False

    @staticmethod
    def _is_password(value: str) -> bool:
        return classes(value) >= 2 and entropy(value) >= 2.5 and not _CALL.fullmatch(value)

    @staticmethod
    def _is_key(value: str) -> bool:
        letters = any(map(str.isalpha, value))
        return letters and any(map(str.isdigit, value)) and entropy(value) >= 3.0


def assigned(others: Iterable[Detector]) -> tuple[Detector, ...]:
    """Return the detectors of assigned secrets, which leave to ``others`` what is theirs.

    What is found is the value; its name stays.
    """
    others = tuple(others)

    def detector(name: str, joint: str, value: str, *, password: bool, least: int) -> Detector:
        head = f"{name}{joint}"
        accept = Assigned(head, others, password=password, least=least)
        return Detector("SECRET", f"{head}{value}", accept, ignore_case=True, head=head)

    any_value = f"{_ANY}{{5,200}}{_LAST}"
    key_value = f"{_KEY_BODY}{{9,400}}{_KEY_LAST}"
    return (
        detector(_PHRASES, _ASSIGNED, any_value, password=True, least=6),
        detector(_PHRASES, _SAID, any_value, password=True, least=8),
        detector(_KEYS, _ASSIGNED, key_value, password=False, least=10),
        detector(_KEYS, _SAID, key_value, password=False, least=20),
        detector("", _SCHEME, key_value, password=False, least=16),
    )
