"""A text that arrives in pieces, cut into what was found in it and what was not."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from orq_plugins.redaction.matcher import Match, Matcher

OVERFLOW = "OVERFLOW"
"""The entity under which text goes that was held back for too long."""

TAIL = "OVERFLOW_TAIL"
"""The entity of all that follows it in that text."""

# A long hold is looked through again only when it has grown by this fraction, or a long key that
# arrives character by character would cost the square of its length.
_PATIENT_FROM = 256
_PATIENCE = 8


Span = tuple[str, str | None]
"""A piece of the text as it came, and what it is: an entity, or None for nothing."""


class Scanner:
    """Cuts a growing text exactly as the whole of it would be cut, however it arrives.

    Nothing of a match, and nothing that could still become one, is given out before the match is
    settled. At most ``max_hold`` characters are held back. When there are more, they are OVERFLOW
    and all that follows is its TAIL, or they are given out as they are if ``release`` says so.
    """

    __slots__ = (
        "_at",
        "_introduced",
        "_looked",
        "_matcher",
        "_max_hold",
        "_release",
        "_tail",
        "_text",
    )

    def __init__(self, matcher: Matcher, max_hold: int, *, release: bool = False) -> None:
        """Begin with an empty text."""
        self._matcher = matcher
        self._max_hold = max_hold
        self._release = release
        self._text = ""
        self._at = 0  # what stands before is only there to be looked back at
        self._looked = 0
        self._introduced = 0
        self._tail = False

    def introduce(self, text: str) -> int:
        """Begin behind what is no part of the text; return how much of it comes out before it.

        Matches of patterns may begin there; functions don't see it.
        """
        self._text, self._introduced = text, len(text)
        self._settled()
        return self.held

    @property
    def held(self) -> int:
        """How many characters have come in and not gone out."""
        return len(self._text) - self._at

    def feed(self, text: str) -> list[Span]:
        """Take more text and return what is settled."""
        if self._tail:
            return [(text, TAIL)] if text else []
        text = self._text = self._text + text
        at = self._at
        held = len(text) - at
        if _PATIENT_FROM < held <= self._max_hold and held - self._looked < held // _PATIENCE:
            return []
        spans: list[Span]
        place = self._matcher.plain_until(text, at)
        if place < 0:
            spans = self._settled()
        else:
            spans = [(text[at:place], None)] if at < place else []
            self._forget(place)
        self._looked = held = len(self._text) - self._at
        if held > self._max_hold:
            spans += self._overflown()
        return spans

    def flush(self) -> list[Span]:
        """Take the end of the text and return the rest."""
        if not self._matcher.callables:
            return self._settled(final=True)
        text = self._text[self._at :]
        self._forget(len(self._text))
        return _cut(text, self._matcher.all(text, self._introduced))

    def _settled(self, *, final: bool = False) -> list[Span]:
        text, at, matcher = self._text, self._at, self._matcher
        opens = len(text) if final else matcher.open_at(text, at)
        spans: list[Span] = []
        while (found := matcher.first(text, at, opens)) is not None:
            if found.start > at:
                spans.append((text[at : found.start], None))
            spans.append((text[found.start : found.end], found.entity))
            at = found.end
            if at > opens:
                opens = matcher.open_at(text, at)
        if opens > at:
            spans.append((text[at:opens], None))
            at = opens
        self._forget(at)
        return spans

    def _forget(self, at: int) -> None:
        kept = max(0, at - self._matcher.behind)
        self._text, self._at = self._text[kept:], at - kept

    def _overflown(self) -> list[Span]:
        text = self._text[self._at :]
        self._forget(len(self._text))
        if self._release:
            return [(text, None)]
        self._tail = True
        return [(text, OVERFLOW)]


def _cut(text: str, found: Iterable[Match]) -> list[Span]:
    spans: list[Span] = []
    at = 0
    for match in found:
        if match.start > at:
            spans.append((text[at : match.start], None))
        spans.append((text[match.start : match.end], match.entity))
        at = match.end
    if at < len(text):
        spans.append((text[at:], None))
    return spans
