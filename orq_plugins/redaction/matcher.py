"""All detectors as one: what they find in a text, and how far a growing text is settled."""

from __future__ import annotations

import re
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

from attrs import define, field

from orq_core import ConfigurationError, PluginError
from orq_plugins.redaction._regex import PatternError, sequence, width
from orq_plugins.redaction.closure import Guarded, context, guarded, opening_of, touch_of
from orq_plugins.redaction.detectors import CallableDetector, Detector
from orq_plugins.redaction.union import Union

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

# Patterns of longer matches are looked for apart, or a long text would be searched for all of them
# as far back as the longest key may reach.
_SHORT = 512
_RESTS = Union(lambda part: part.rest, sequence)
_OPENINGS = Union(lambda part: part.opening, opening_of)
_TOUCHES = Union(lambda part: part.touch, touch_of)


@define(frozen=True)
class Match:
    """Where an entity stands in a text, ``text[start:end]``.

    ``head``: how many characters before it belong to what was found, and stay.
    """

    start: int
    end: int
    entity: str
    head: int = 0

    @property
    def begins(self) -> int:
        """Where its head begins."""
        return self.start - self.head


@define(frozen=True)
class _Compiled:
    detector: Detector
    pattern: re.Pattern[str]
    head: re.Pattern[str] | None

    def at(self, text: str, start: int) -> Match | None:
        """Return an accepted match that begins at this very place."""
        found = self.pattern.match(text, start)
        if found is None or found.end() == start:
            return None
        accept = self.detector.accept
        try:
            if accept is not None and not accept(found[0]):
                return None
        except Exception as error:  # noqa: BLE001 - raised again as an error of this library, without the original's text, which may quote private values
            raise _failed(self.detector.entity, error) from None
        head = None if self.head is None else self.head.match(text, start, found.end())
        value = start if head is None else head.end()
        return Match(value, found.end(), self.detector.entity, value - start)


@define(frozen=True)
class _Opening:
    """Where matches of up to ``reach`` characters may still begin or grow."""

    reach: int
    pattern: re.Pattern[str]

    def search(self, text: str, start: int) -> int:
        found = self.pattern.search(text, max(start, len(text) - self.reach))
        # The end of the text is an opening for any pattern.
        return len(text) if found is None else found.start()


@define(eq=False)
class Matcher:
    """Finds leftmost matches; at one place the first detector that accepts one wins.

    Callables see whole texts only; where one begins before a pattern's match, it wins.
    """

    detectors: tuple[Detector, ...]
    callables: tuple[CallableDetector, ...] = ()
    behind: int = field(init=False, default=1)
    _each: tuple[_Compiled, ...] = field(init=False, repr=False)
    _parts: tuple[tuple[int, Guarded], ...] = field(init=False, repr=False)

    @classmethod
    def of(cls, detectors: Iterable[Detector | CallableDetector]) -> Matcher:
        """Sort patterns from callables.

        Raises ConfigurationError for a pattern that can't be followed through a stream.
        """
        given = tuple(detectors)
        return _made(
            tuple(each for each in given if isinstance(each, Detector)),
            tuple(each for each in given if isinstance(each, CallableDetector)),
        )

    def __attrs_post_init__(self) -> None:
        """Compile the patterns and their closures."""
        each: list[_Compiled] = []
        parts: list[tuple[int, Guarded]] = []
        for detector in self.detectors:
            pattern = _source(detector, detector.pattern)
            try:
                before, after = context(pattern)
                parts.append((width(pattern) + after + 1, guarded(pattern)))
                head = detector.head and re.compile(_source(detector, detector.head))
                each.append(_Compiled(detector, re.compile(pattern), head or None))
            except (PatternError, re.error) as error:
                raise ConfigurationError(
                    f"detectors: the pattern of {detector.entity} can't be used: {error}",
                ) from error
            self.behind = max(self.behind, before)
        self._each = tuple(each)
        self._parts = tuple(parts)

    # Compiled when they are needed: that takes longer than many calls.

    @cached_property
    def _any(self) -> re.Pattern[str]:
        return _RESTS.of(part for _, part in self._parts)

    @cached_property
    def _touch(self) -> re.Pattern[str]:
        return _TOUCHES.of(part for _, part in self._parts)

    @cached_property
    def _open_anywhere(self) -> _Opening:
        far = max((reach for reach, _ in self._parts), default=0)
        return _Opening(far, _OPENINGS.of(part for _, part in self._parts))

    @cached_property
    def _openings(self) -> tuple[_Opening, ...]:
        near = [part for reach, part in self._parts if reach <= _SHORT]
        far = [part for reach, part in self._parts if reach > _SHORT]
        return (
            _Opening(_SHORT, _OPENINGS.of(near)),
            _Opening(self._open_anywhere.reach, _OPENINGS.of(far)),
        )

    def plain_until(self, text: str, start: int) -> int:
        """Return up to where there is nothing in a text, and what follows waits for more of it.

        One search, and most texts need no other; -1 where that is not certain.
        """
        if self.callables or len(text) - start > _SHORT:
            return -1
        found = self._touch.search(text, start)
        if found is None:
            return len(text)
        place, end = found.span()
        return place if end == len(text) else -1

    def open_at(self, text: str, start: int) -> int:
        """Return the leftmost place from which more text could change what is found."""
        if self.callables:
            return start
        if len(text) - start <= _SHORT:
            found = self._open_anywhere.pattern.search(text, start)
            return len(text) if found is None else found.start()
        return min(opening.search(text, start) for opening in self._openings)

    def first(self, text: str, start: int, before: int) -> Match | None:
        """Return the leftmost match that begins in ``text[start:before]``, None if there is none.

        Raises PluginError for a detector that fails.
        """
        while start < before:
            candidate = self._any.search(text, start)
            if candidate is None or candidate.start() >= before:
                return None
            start = candidate.start()
            for compiled in self._each:
                found = compiled.at(text, start)
                if found is not None:
                    return found
            start += 1
        return None

    def all(self, text: str, introduced: int = 0) -> Sequence[Match]:
        """Return everything in a whole text, leftmost first, without overlaps.

        ``introduced``: how many characters stand before it that functions don't see.
        Raises PluginError for a detector that fails.
        """
        asked = sorted(
            (match for each in self.callables for match in _asked(each, text, introduced)),
            key=lambda match: (match.start, -match.end),
        )
        matches: list[Match] = []
        at = 0
        while True:
            asked = [match for match in asked if match.start >= at and match.end > match.start]
            found = self.first(text, at, len(text))
            if asked and (found is None or asked[0].start < found.begins):
                found = asked[0]
            if found is None:
                return matches
            matches.append(found)
            at = found.end


@lru_cache(maxsize=16)
def _made(detectors: tuple[Detector, ...], callables: tuple[CallableDetector, ...]) -> Matcher:
    # Compiling takes longer than many calls; matchers keep no state, so all may share one.
    return Matcher(detectors, callables)


def _asked(detector: CallableDetector, text: str, at: int) -> list[Match]:
    try:
        found = detector.find(text[at:])
        return [Match(at + start, at + end, entity) for start, end, entity in found]
    except Exception as error:  # noqa: BLE001 - raised again as an error of this library, without the original's text, which may quote private values
        raise _failed(detector.entity, error) from None


def _failed(entity: str, error: Exception) -> PluginError:
    # Its own message may quote the text.
    return PluginError(
        f"the detector of {entity} failed ({type(error).__name__}), so the call was stopped",
        plugin="redaction",
    )


def _source(detector: Detector, pattern: str) -> str:
    return f"(?i:{pattern})" if detector.ignore_case else pattern
