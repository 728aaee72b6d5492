"""What was given to a request model, and models to which nothing was given yet.

A request has some forty fields, of which a caller gives a few. Written out for its class, making
one and searching one take a third of the time that they take through attrs and a loop.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

from attrs import fields

from orq_core.models._generated import written
from orq_core.models.base import UNSET

if TYPE_CHECKING:
    from collections.abc import Callable

    from orq_core.models.base import Request

T = TypeVar("T")

_PACKAGE = __name__.partition(".")[0]


def _cached(function: Callable[[type[Any]], T]) -> Callable[[type[Any]], T]:
    # Classes are hashable, though type checkers take the word of their instances for it.
    remembered: Any = cache(function)
    kept: Callable[[type[Any]], T] = remembered
    return kept


@_cached
def blank(cls: type[Request]) -> Callable[[], Any]:
    """Return the function that makes an instance whose fields are all `UNSET`."""
    names = known_fields(cls)
    if cls.__module__.partition(".")[0] != _PACKAGE:
        # A class of others may do something of its own when it is made.
        unset: dict[str, Any] = dict.fromkeys(names, UNSET)
        return lambda: cls(**unset)
    lines = [f"model.{name} = UNSET" for name in names]
    made: Callable[[], Any] = written(
        "make",
        "",
        ["model = new(cls)", *lines, "model.extra = {}", "return model"],
        {"new": cls.__new__, "cls": cls, "UNSET": UNSET},
    )
    return made


@_cached
def finder(cls: type[Request]) -> Callable[[Any], dict[str, Any]]:
    """Return the function that lists the known fields of an instance that are not `UNSET`."""
    lines = [
        f"if (value := model.{name}) is not UNSET: found[{name!r}] = value"
        for name in known_fields(cls)
    ]
    made: Callable[[Any], dict[str, Any]] = written(
        "find", "model", ["found = {}", *lines, "return found"], {"UNSET": UNSET}
    )
    return made


@_cached
def known_fields(cls: type[Request]) -> tuple[str, ...]:
    """Return the names of the fields a class knows."""
    return tuple(attribute.name for attribute in fields(cls) if attribute.name != "extra")
