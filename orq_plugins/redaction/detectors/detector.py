"""What a detector is: a bounded regular expression, or a function that sees whole texts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import define

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


@define(frozen=True)
class Detector:
    """Finds one kind of value.

    ``entity`` names the kind, in upper case as in ``EMAIL``. ``pattern`` is a regular expression
    for `re` whose matches have a greatest length, so that a stream can be searched as it comes:
    no ``*`` and ``+``, no back references, no ``^`` and ``$``. ``accept`` looks at a match and may
    only reject it; a rejected match is not tried again at another length, so the pattern has to
    end where the value ends. ``head`` is a pattern of what stands before the value in a match, such
    as ``password=``: ``accept`` sees it too, but it stays where it is.
    """

    entity: str
    pattern: str
    accept: Callable[[str], bool] | None = None
    ignore_case: bool = False
    head: str | None = None


@define(frozen=True)
class CallableDetector:
    """Finds values with a function of the whole text.

    ``find`` returns ``(start, end, entity)`` for each value; ``entity`` names the detector where
    a name is needed without a match. A stream is held back to its end for such a detector.
    """

    entity: str
    find: Callable[[str], Iterable[tuple[int, int, str]]]
