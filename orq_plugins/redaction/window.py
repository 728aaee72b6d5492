"""Texts on their way through: plain ones, and the JSON that tool arguments are written in."""

from __future__ import annotations

import json
import re
from collections import deque
from collections.abc import Callable
from typing import NamedTuple, Protocol

from orq_plugins.redaction.scanner import Scanner, Span

Rewrite = Callable[[str, str], str]
"""What is put in place of a match: ``rewrite(entity, text)``."""

NewScanner = Callable[[], Scanner]


class Piece(NamedTuple):
    """A piece of a text: as it came, and as it goes out."""

    came: str
    goes: str


class Window(Protocol):
    """Takes a text in pieces, gives it out in others."""

    @property
    def held(self) -> int:
        """How many characters have come in and not gone out."""
        ...

    def feed(self, text: str) -> list[Piece]:
        """Take more text and return what is settled."""
        ...

    def passed(self, text: str) -> str:
        """Take more text and return what of it goes out, for those who need no pieces."""
        ...

    def flush(self) -> list[Piece]:
        """Take the end of the text and return the rest."""
        ...


def joined(pieces: list[Piece]) -> str:
    """Return what goes out."""
    return "".join([piece.goes for piece in pieces])


class TextWindow:
    """A window on plain text."""

    __slots__ = ("_rewrite", "_scanner")

    def __init__(self, scanner: NewScanner, rewrite: Rewrite) -> None:
        """Begin with an empty text."""
        self._scanner = scanner()
        self._rewrite = rewrite

    @property
    def held(self) -> int:
        """See `Window`."""
        return self._scanner.held

    def feed(self, text: str) -> list[Piece]:
        """See `Window`."""
        return self._rewritten(self._scanner.feed(text))

    def passed(self, text: str) -> str:
        """See `Window`."""
        spans = self._scanner.feed(text)
        if len(spans) == 1 and spans[0][1] is None:
            return spans[0][0]
        rewrite = self._rewrite
        return "".join(
            [text if entity is None else rewrite(entity, text) for text, entity in spans]
        )

    def flush(self) -> list[Piece]:
        """See `Window`."""
        return self._rewritten(self._scanner.flush())

    def _rewritten(self, spans: list[Span]) -> list[Piece]:
        rewrite = self._rewrite
        return [
            Piece(text, text if entity is None else rewrite(entity, text)) for text, entity in spans
        ]


_RUN = re.compile(r'[^"\\]+')
# Characters beyond U+FFFF are written as two escapes, and are one character all the same.
_HIGH = r"\\u[dD][89abAB][0-9a-fA-F]{2}"
_LOW = r"\\u[dD][c-fC-F][0-9a-fA-F]{2}"
ESCAPE = re.compile(rf'{_HIGH}{_LOW}|\\(?:u[0-9a-fA-F]{{4}}|["\\/bfnrt])')
_UNFINISHED = re.compile(rf"(?:{_HIGH})?(?:\\(?:u[0-9a-fA-F]{{0,3}})?)?\Z")
_BARE = re.compile(r'[^"{}\[\]:,]+')
_LONGEST = 1024  # characters; no number or word of JSON is as long, so a longer one is plain text
_LONGEST_NAME = 64


def decoded(escape: str) -> str:
    """Return the character that an escape of JSON stands for."""
    return str(json.loads(f'"{escape}"'))


def introduction(name: str) -> str:
    """Return what stands in JSON before the value of that name, by which a secret may be known."""
    return f'{name}": "' if name and len(name) <= _LONGEST_NAME else ""


class JsonWindow:
    """A window on a JSON text: what stands in its strings is looked at decoded.

    Each string is a text of its own, and so is what stands between punctuation, such as a number.
    The name that a string is the value of is looked at too, and stays.
    What is put in place of a match is escaped, and a number becomes a string, so that JSON stays
    JSON; every escape that is not part of a match stays byte for byte as it was.
    """

    __slots__ = (
        "_bare",
        "_in_string",
        "_introduced",
        "_name",
        "_new",
        "_plain",
        "_rewrite",
        "_said",
        "_scanner",
        "_sources",
        "_unfinished",
    )

    def __init__(self, scanner: NewScanner, rewrite: Rewrite) -> None:
        """Begin with an empty text."""
        self._new = scanner
        self._scanner = scanner()
        self._rewrite = rewrite
        self._in_string = False
        self._said = ""  # in the last string; its beginning, if that is too long to be a name
        self._name = ""
        self._introduced = 0
        self._bare = ""
        self._plain: TextWindow | None = None
        self._unfinished = ""
        self._sources: deque[str] = deque()  # how each character held in a string was written

    @property
    def held(self) -> int:
        """See `Window`."""
        plain = 0 if self._plain is None else self._plain.held
        return sum(map(len, self._sources)) + len(self._bare) + len(self._unfinished) + plain

    def feed(self, text: str) -> list[Piece]:
        """See `Window`."""
        text, self._unfinished = self._unfinished + text, ""
        pieces: list[Piece] = []
        at = 0
        while at < len(text):
            at = (
                self._string(text, at, pieces) if self._in_string else self._other(text, at, pieces)
            )
        return pieces

    def passed(self, text: str) -> str:
        """See `Window`."""
        return joined(self.feed(text))

    def flush(self) -> list[Piece]:
        """See `Window`."""
        pieces = self._written(self._scanner.flush()) if self._in_string else self._end_of_bare()
        if self._unfinished:
            pieces.append(Piece(self._unfinished, self._unfinished))
        self._unfinished = ""
        return pieces

    def _string(self, text: str, at: int, pieces: list[Piece]) -> int:
        run = _RUN.match(text, at)
        if run is not None:
            return self._characters(run[0], list(run[0]), pieces, at)
        if text[at] == '"':
            pieces += [*self._written(self._scanner.flush()), Piece('"', '"')]
            self._in_string = False
            return at + 1
        if _UNFINISHED.match(text, at):
            self._unfinished = text[at:]
            return len(text)
        escape = ESCAPE.match(text, at)
        if escape is not None:
            return self._characters(decoded(escape[0]), [escape[0]], pieces, at)
        # No escape that JSON knows: it is passed on as it stands.
        return self._characters("\\", ["\\"], pieces, at)

    def _characters(self, text: str, sources: list[str], pieces: list[Piece], at: int) -> int:
        if len(self._said) <= _LONGEST_NAME:
            self._said += text
        self._sources.extend(sources)
        pieces += self._written(self._scanner.feed(text))
        return at + sum(map(len, sources))

    def _written(self, spans: list[Span]) -> list[Piece]:
        pieces: list[Piece] = []
        for span, entity in spans:
            text = span[self._introduced :]
            self._introduced -= len(span) - len(text)
            if not text:
                continue
            came = "".join([self._sources.popleft() for _ in text])
            goes = came if entity is None else _escaped(came, text, self._rewrite(entity, text))
            pieces.append(Piece(came, goes))
        return pieces

    def _other(self, text: str, at: int, pieces: list[Piece]) -> int:
        bare = _BARE.match(text, at)
        if bare is not None:
            self._bare += bare[0]
            if self._plain is None and len(self._bare) > _LONGEST:
                self._plain = TextWindow(self._new, self._rewrite)
            if self._plain is not None:
                pieces += self._plain.feed(self._bare)
                self._bare = ""
            return bare.end()
        pieces += [*self._end_of_bare(), Piece(text[at], text[at])]
        if text[at] == '"':
            self._in_string, self._scanner = True, self._new()
            self._introduced = self._scanner.introduce(introduction(self._name))
            self._said = ""
        self._name = self._said if text[at] == ":" else ""
        return at + 1

    def _end_of_bare(self) -> list[Piece]:
        plain, self._plain = self._plain, None
        if plain is not None:
            return plain.flush()
        bare, self._bare = self._bare, ""
        if not bare:
            return []
        window = TextWindow(self._new, self._rewrite)
        goes = joined(window.feed(bare) + window.flush())
        if goes == bare:
            return [Piece(bare, bare)]
        value = bare.strip()
        before, _, after = bare.partition(value)
        return [Piece(bare, before + json.dumps(goes.strip(), ensure_ascii=False) + after)]


def _escaped(came: str, text: str, goes: str) -> str:
    return came if goes == text else json.dumps(goes, ensure_ascii=False)[1:-1]
