"""What two JSON bodies differ in, by path; what people wrote is counted and never shown."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Literal

from attrs import define

from orq_core._json import is_list, is_object

if TYPE_CHECKING:
    from collections.abc import Iterator

Kind = Literal["added", "removed", "changed"]
Path = tuple[str | int, ...]

SIGNS: dict[Kind, str] = {"added": "+", "removed": "-", "changed": "~"}

# Settings, whose values say nothing of what is asked about.
_SETTINGS = frozenset(
    {
        "cache",
        "cache_control",
        "fallback_on_codes",
        "fallbacks",
        "frequency_penalty",
        "load_balancer",
        "logprobs",
        "max_completion_tokens",
        "max_tokens",
        "modalities",
        "model",
        "n",
        "parallel_tool_calls",
        "presence_penalty",
        "reasoning_effort",
        "retry",
        "seed",
        "stream",
        "stream_options",
        "temperature",
        "thinking",
        "timeout",
        "top_k",
        "top_logprobs",
        "top_p",
        "verbosity",
    }
)
_NAMES = frozenset({"role", "type"})  # of messages and their parts
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,63}\Z")
_PLAIN = re.compile(r"[\w./:@+-]{1,80}\Z", re.ASCII)
_ABSENT = object()


@define(frozen=True)
class Change:
    """One difference.

    ``masked`` counts values that are not shown; if it is 0, ``before`` and ``after`` show them.
    """

    path: str
    kind: Kind
    masked: int = 0
    before: Any = None
    after: Any = None

    def __str__(self) -> str:
        """Say it in a line."""
        head = f"{SIGNS[self.kind]} {self.path}: "
        if self.masked:
            return f"{head}{self.masked} value{'s' * (self.masked > 1)} masked"
        if self.kind == "changed":
            return f"{head}{json.dumps(self.before)} -> {json.dumps(self.after)}"
        return head + json.dumps(self.before if self.kind == "removed" else self.after)


def changes(before: dict[str, Any], after: dict[str, Any]) -> tuple[Change, ...]:
    """Return the differences of two bodies, in the order of the second."""
    told: dict[str, Change] = {}
    for path, old, new in _differences((), before, after):
        kind: Kind = "added" if old is _ABSENT else "removed" if new is _ABSENT else "changed"
        if all(each is _ABSENT or is_shown(path, each) for each in (old, new)):
            shown = [None if each is _ABSENT else each for each in (old, new)]
            name = written(path)
            told[name] = Change(name, kind, 0, *shown)
            continue
        name = written(path[: 3 if path[0] == "messages" else 2])
        known = told.get(name)
        count = 1 if known is None else known.masked + 1
        same = known is None or known.kind == kind
        told[name] = Change(name, kind if same else "changed", count)
    return tuple(told.values())


def is_shown(path: Path, value: Any) -> bool:
    """Tell whether a value at a path is a setting, and no text of somebody's."""
    if is_object(value) or is_list(value):
        return not value
    setting = path[0] in _SETTINGS or (path[0] == "messages" and path[-1] in _NAMES)
    return setting and (not isinstance(value, str) or _PLAIN.match(value) is not None)


def written(path: Path) -> str:
    """Write a path as ``messages[0].content``; a key that is no plain name as ``*``."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        else:
            text += ("." if text else "") + (step if _NAME.match(step) else "*")
    return text


def leaves(value: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Yield every value within that holds no other, with its path."""
    if is_object(value) and value:
        for name, each in value.items():
            yield from leaves(each, (*path, str(name)))
    elif is_list(value) and value:
        for at, each in enumerate(value):
            yield from leaves(each, (*path, at))
    else:
        yield path, value


def _differences(path: Path, old: Any, new: Any) -> Iterator[tuple[Path, Any, Any]]:
    if is_object(old) and is_object(new):
        for name in dict.fromkeys([*new, *old]):
            yield from _differences(
                (*path, str(name)), old.get(name, _ABSENT), new.get(name, _ABSENT)
            )
    elif is_list(old) and is_list(new):
        yield from _in_lists(path, old, new)
    elif old is _ABSENT or new is _ABSENT:
        for below, value in leaves(new if old is _ABSENT else old, path):
            yield (below, old, value) if old is _ABSENT else (below, value, new)
    elif type(old) is not type(new) or old != new:
        if is_object(old) or is_list(old) or is_object(new) or is_list(new):
            yield path, old or None, new or None
        else:
            yield path, old, new


def _in_lists(path: Path, old: list[Any], new: list[Any]) -> Iterator[tuple[Path, Any, Any]]:
    """Compare lists from both ends, so that one insertion is not a change of all that follows."""
    shortest = min(len(old), len(new))
    head = 0
    while head < shortest and old[head] == new[head]:
        head += 1
    tail = 0
    while tail < shortest - head and old[-1 - tail] == new[-1 - tail]:
        tail += 1
    left, right = old[head : len(old) - tail], new[head : len(new) - tail]
    for at in range(max(len(left), len(right))):
        yield from _differences(
            (*path, head + at),
            left[at] if at < len(left) else _ABSENT,
            right[at] if at < len(right) else _ABSENT,
        )
