"""Arguments, checked: what can't be used is a ConfigurationError with its name."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, TypeVar

from attrs import AttrsInstance, fields

from orq_core import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

T = TypeVar("T", bound=AttrsInstance)


def checked_whole(name: str, value: object) -> int | None:
    """Return a positive whole number, or None."""
    if value is None:
        return None
    if isinstance(value, int) and not isinstance(value, bool) and value > 0:
        return value
    raise ConfigurationError(f"{name}: expected a positive whole number or None")


def checked_number(name: str, value: object, *, positive: bool = False) -> float:
    """Return a finite number that is not negative."""
    if (
        isinstance(value, (int, float))
        and not isinstance(value, bool)
        and math.isfinite(value)
        and (value > 0 or (value == 0 and not positive))
    ):
        return value
    kind = "a positive number" if positive else "a number that is not negative"
    raise ConfigurationError(f"{name}: expected {kind}")


def checked_options(kind: type[T], plugin: str, given: Mapping[str, Any]) -> T:
    """Read one call's ``plugin_options`` for a plugin."""
    known = {attribute.name for attribute in fields(kind)}
    unknown = sorted(set(given) - known)
    if unknown:
        raise ConfigurationError(
            f"plugin_options: {plugin}: {', '.join(unknown)}: unknown; "
            f"known are {', '.join(sorted(known))}",
        )
    return kind(**given)
