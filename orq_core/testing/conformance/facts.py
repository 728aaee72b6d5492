"""What callers see of their calls, made comparable."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attrs import define, field

from orq_core._json import is_list, is_object

if TYPE_CHECKING:
    from collections.abc import Mapping

FAILED = "a call failed alone"  # which the scenarios told already


@define
class Facts:
    """What a caller can see of one call, without what differs by its nonce."""

    nonce: str
    items: list[Any] = field(factory=list[Any])
    notes: Mapping[str, Any] = field(factory=dict[str, Any])
    error: str | None = None

    def flat(self) -> dict[str, Any]:
        """Return every value by its path."""
        found: dict[str, Any] = {"error": self.error, "items": len(self.items)}
        _flatten("items", self.items, self.nonce, found)
        _flatten("notes", self.notes, self.nonce, found)
        return found


def compared(alone: list[Facts], together: list[Facts]) -> str | None:
    """Say what two calls that overlapped have of each other, or lack of what they give alone."""
    first, second = (each.flat() for each in alone)
    if any(each.error for each in alone):
        return FAILED
    # What differs from call to call, as ids and counters do, can't be compared.
    stable = {path: value for path, value in first.items() if second.get(path, _ABSENT) == value}
    for mine, other in (together, together[::-1]):
        found = mine.flat()
        for path, value in found.items():
            if isinstance(value, str) and other.nonce in value:
                return f"{path} of one call is of the other call"
        for path, value in stable.items():
            if found.get(path, _ABSENT) != value:
                return f"{path} differs from what the same call gives alone"
    return None


_ABSENT = object()


def _flatten(path: str, value: Any, nonce: str, found: dict[str, Any]) -> None:
    if is_object(value):
        for name, each in value.items():
            _flatten(f"{path}.{name}", each, nonce, found)
    elif is_list(value):
        for index, each in enumerate(value):
            _flatten(f"{path}[{index}]", each, nonce, found)
    elif isinstance(value, (str, int, bool, type(None))):
        # Floats are times; other objects are the plugin's own.
        found[path] = value.replace(nonce, "*") if isinstance(value, str) else value
