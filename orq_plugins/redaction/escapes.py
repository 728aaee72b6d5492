"""Whole texts that quote JSON: an escape in them hides nothing."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from itertools import accumulate
from typing import TYPE_CHECKING, NamedTuple

from orq_plugins.redaction.prefilter import prefilter
from orq_plugins.redaction.scanner import Scanner, Span
from orq_plugins.redaction.window import ESCAPE, decoded

if TYPE_CHECKING:
    from orq_plugins.redaction.matcher import Matcher

_ESCAPED = re.compile(r'["\\\x00-\x1f]')
_DEPTH = 3  # JSON in JSON in JSON


class Found(NamedTuple):
    """What was found in ``text[start:end]``, and the value that is written there.

    A value that can't be written without escapes is left as it is written.
    """

    start: int
    end: int
    entity: str
    value: str


def find(matcher: Matcher, text: str, introduced: int = 0) -> list[Found]:
    """Return everything in a text as `Matcher.all` does, behind escapes too.

    Raises PluginError for a detector that fails.
    """
    texts, views = [text], list[_View]()
    while len(views) < _DEPTH and ESCAPE.search(texts[-1], introduced):
        views.append(_View(texts[-1], introduced))
        texts.append(views[-1].text)
    is_clear = prefilter(matcher)
    found: list[Found] = []
    for level in reversed(range(len(texts))):
        deeper, above = views[level:], views[:level][::-1]
        starts = [each.start for each in found]
        new: list[Found] = []
        for each in () if is_clear(texts[level]) else matcher.all(texts[level], introduced):
            start, end = _up(above, each.start, each.end)
            least = _up(above, *_without_escapes(deeper, each.start, each.end))
            at = bisect_right(starts, least[0]) - 1
            if at < 0 or found[at].end < least[1]:
                value = texts[level][each.start : each.end]
                # Put back where it was, such a value must not end the string that quotes it.
                value = text[start:end] if level and _ESCAPED.search(value) else value
                new.append(Found(start, end, each.entity, value))
        found = _merged(text, [*found, *new])
    return found


class Unescaping(Scanner):
    """A scanner of texts that are whole."""

    __slots__ = ("_parts",)

    def __init__(self, matcher: Matcher) -> None:
        """Begin with an empty text."""
        super().__init__(matcher, 0)
        self._parts: list[str] = []

    def introduce(self, text: str) -> int:
        """See `Scanner`."""
        self._parts, self._introduced = [text], len(text)
        return len(text)

    def feed(self, text: str) -> list[Span]:
        """Keep the text."""
        self._parts.append(text)
        return []

    def flush(self) -> list[Span]:
        """Return the whole text."""
        text = "".join(self._parts)
        spans: list[Span] = []
        at = 0
        for start, end, entity, _ in find(self._matcher, text, self._introduced):
            spans += ((text[at:start], None), (text[start:end], entity))
            at = end
        return [*spans, (text[at:], None)]


class _View:
    """A text with its escapes decoded, and where everything stands in the original."""

    def __init__(self, text: str, introduced: int) -> None:
        escapes = [each.span() for each in ESCAPE.finditer(text, introduced)]
        self.text = text[:introduced]
        self.text += ESCAPE.sub(lambda each: decoded(each[0]), text[introduced:])
        self._starts = [start for start, _ in escapes]
        self._ends = [end for _, end in escapes]
        # How much shorter the text has become after so many escapes, and where that is.
        self._shifts = [0, *accumulate(end - start - 1 for start, end in escapes)]
        shifts = self._shifts[1:]
        self._after = [end - shift for end, shift in zip(self._ends, shifts, strict=True)]

    def up(self, at: int) -> int:
        """Return where a character stands in the original."""
        return at + self._shifts[bisect_right(self._after, at)]

    def down(self, start: int, end: int) -> tuple[int, int]:
        """Return where something stands in the decoded text, without escapes at its ends."""
        first = bisect_left(self._starts, start) - 1
        if first >= 0:
            start = max(start, self._ends[first])
        last = bisect_left(self._starts, end) - 1
        while last >= 0 and start < end <= self._ends[last]:
            end = self._starts[last]
            last -= 1
        return self._down(start), self._down(max(start, end))

    def _down(self, at: int) -> int:
        return at - self._shifts[bisect_right(self._ends, at)]


def _without_escapes(views: list[_View], start: int, end: int) -> tuple[int, int]:
    """Return what is left of a match if escapes at its ends, and parts of them, don't count.

    The n of an escaped line end is no letter of an address, and no line end is part of a password.
    """
    for view in views:
        start, end = view.down(start, end)
    return _up(views[::-1], start, end)


def _up(views: list[_View], start: int, end: int) -> tuple[int, int]:
    for view in views:
        start, end = view.up(start), view.up(end)
    return start, end


def _merged(text: str, found: list[Found]) -> list[Found]:
    """Return what was found, of what overlaps all that is covered."""
    merged: list[Found] = []
    for each in sorted(found, key=lambda each: (each.start, -each.end)):
        last = merged[-1] if merged else None
        if last is None or each.start >= last.end:
            merged.append(each)
        elif each.end > last.end:
            merged[-1] = Found(last.start, each.end, last.entity, text[last.start : each.end])
    return merged
