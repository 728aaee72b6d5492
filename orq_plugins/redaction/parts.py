"""Lists of parts: contents that are no plain text, details of the reasoning, annotations."""

from __future__ import annotations

from collections import defaultdict
from itertools import accumulate
from typing import TYPE_CHECKING, Any, NamedTuple

from attrs import define, field

from orq_core._json import is_list, is_object
from orq_plugins.redaction.window import Piece, joined

if TYPE_CHECKING:
    from collections.abc import Callable

    from orq_plugins.redaction.window import Window

_TEXTS = ("text", "thinking", "reasoning", "summary", "refusal")
_Step = tuple[Any, Any, Any]  # a part's index and type, and the name of the field with the text
_Path = tuple[_Step, ...]  # more than one step where a part holds parts
_PLAIN: _Path = ((None, "text", "text"),)
_STRING: _Step = (None, None, None)  # a part that is no object but the text itself


class Rewritten(NamedTuple):
    """What goes out for a list; the very list that came if nothing changes."""

    parts: list[Any]
    came: str
    """What came of the text that a plain string would have gone on with."""
    pieces: list[Piece]
    """What goes out of that text."""


class Parts:
    """The parts of one field.

    The texts under one index, or of one type where there is no index, are one text, until a part of
    another type comes. Where a text came in several parts, what goes out is cut where they were
    cut, so that a part in which nothing changes stays as it is, byte for byte: it may be signed.
    """

    def __init__(self, text: Callable[[], Window], plain: Window) -> None:
        """Open windows by ``text``; ``plain`` is that of strings that come in place of a list."""
        self._new = text
        self._windows: dict[_Path, Window] = {_PLAIN: plain}

    @property
    def held(self) -> bool:
        """Whether anything has come in and not gone out."""
        return any(window.held for window in self._windows.values())

    def rewritten(self, parts: list[Any], *, flush: bool) -> Rewritten:
        """Take one chunk's list, or that of a whole message, and return what goes out."""
        texts: dict[_Path, _Text] = defaultdict(_Text)

        def come(path: _Path, text: str) -> str:
            for other, window in self._windows.items():
                if _ends(other, path) and window.held:
                    texts[other].flush(window)
            texts[path].feed(self._window(path), text)
            return text

        _each(parts, (), come)
        if flush:
            for path, window in self._windows.items():
                texts[path].flush(window)
        plain = texts[_PLAIN]
        rests = [(path, joined(text.pieces)) for path, text in texts.items() if not text.came]
        before = [_made(path, rest) for path, rest in rests if rest]
        going = {path: iter(text.cut()) for path, text in texts.items()}
        after = _each(parts, (), lambda path, _: next(going[path]))
        return Rewritten([*before, *after] if before else after, "".join(plain.came), plain.pieces)

    def _window(self, path: _Path) -> Window:
        window = self._windows.get(path)
        if window is None:
            window = self._windows[path] = self._new()
        return window


@define
class _Text:
    """What comes and goes of one text with one list of parts."""

    held: int | None = None  # before
    came: list[str] = field(factory=list[str])
    pieces: list[Piece] = field(factory=list[Piece])

    def feed(self, window: Window, text: str) -> None:
        if self.held is None:
            self.held = window.held
        self.came.append(text)
        if text:
            self.pieces += window.feed(text)

    def flush(self, window: Window) -> None:
        if self.held is None:
            self.held = window.held
        self.pieces += window.flush()

    def cut(self) -> list[str]:
        """Cut what goes out where the texts that came were cut.

        What was held goes before the first one; what stands for a match, to where that began.
        """
        if len(self.came) < 2:
            return [joined(self.pieces)]
        ends = [*accumulate(map(len, self.came), initial=self.held or 0)][1:]
        out: list[list[str]] = [[] for _ in ends]
        at = number = 0
        for came, goes in self.pieces:
            rest = came
            while rest:
                while number < len(ends) - 1 and at >= ends[number]:
                    number += 1
                is_last = came != goes or number == len(ends) - 1
                size = len(rest) if is_last else min(len(rest), ends[number] - at)
                out[number].append(goes if came != goes else rest[:size])
                at += size
                rest = rest[size:]
        return ["".join(each) for each in out]


def rewritten_object(part: dict[str, Any], text: Callable[[], Window]) -> dict[str, Any]:
    """Return what goes out for an object in place of a list; it does not go on in another chunk."""
    rewritten: dict[str, Any] = Parts(text, text()).rewritten([part], flush=True).parts[0]
    return rewritten


def _ends(path: _Path, by: _Path) -> bool:
    """Tell whether a part ends a text: it does not go on under an index, nor in that part."""
    return path[0][0] is None and path[0][:2] != by[0][:2]


def _each(parts: list[Any], path: _Path, change: Callable[[_Path, str], str]) -> list[Any]:
    """Return parts with their texts changed, those in which nothing changes as they are."""
    changed = [_part(part, path, change) for part in parts]
    return parts if all(map(_is, changed, parts)) else changed


def _part(part: Any, path: _Path, change: Callable[[_Path, str], str]) -> Any:
    if isinstance(part, str):
        goes = change((*path, _STRING), part)
        return part if goes == part else goes
    if not is_object(part):
        return part
    new = part
    for name in _TEXTS:
        value = part.get(name)
        inner: _Path = (*path, (_name(part.get("index")), _name(part.get("type")), name))
        if isinstance(value, str):
            goes = change(inner, value)
            new = new if goes == value else {**new, name: goes}
        elif is_list(value):
            each = _each(value, inner, change)
            new = new if each is value else {**new, name: each}
    return new


def _made(path: _Path, text: str) -> Any:
    """Make a part that goes on with those at that path."""
    (index, kind, name), inner = path[0], path[1:]
    if name is None:
        return text
    named = {"index": index, "type": kind, name: [_made(inner, text)] if inner else text}
    return {key: value for key, value in named.items() if value is not None}


def _name(value: Any) -> int | str | None:
    """Return what may be part of a key: servers send anything as an index."""
    return value if isinstance(value, (int, str)) else None


def _is(one: object, other: object) -> bool:
    return one is other
