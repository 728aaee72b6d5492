"""Tool calls on their way in: what each is called with is one text, however its pieces are named.

Functions have arguments, which are JSON; custom tools have an input, which is any text.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from attrs import evolve

from orq_core._json import is_object
from orq_core.models import FunctionCallDelta, ToolCall, ToolCallDelta
from orq_plugins.redaction.window import joined

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from orq_plugins.redaction.window import Window

_C = TypeVar("_C", ToolCall, ToolCallDelta)


class Calls:
    """The calls of one choice of a stream.

    They are told apart as `orq_core` does when it adds them up, or a caller would get a text put
    together that was never looked at as one.
    """

    def __init__(self, text: Callable[[], Window], arguments: Callable[[], Window]) -> None:
        """Open windows by ``arguments``, and by ``text`` for custom tools."""
        self._new = text, arguments
        self._calls: list[_Call] = []
        self._at: dict[int, _Call] = {}

    @property
    def held(self) -> bool:
        """Whether anything has come in and not gone out."""
        return any(call.held for call in self._calls)

    def rewritten(
        self, deltas: Sequence[ToolCallDelta], *, flush: bool
    ) -> list[ToolCallDelta] | None:
        """Return what goes out for one chunk's list, None if nothing changes."""
        out: list[ToolCallDelta] = []
        for delta in deltas:
            call = self._of(delta)
            if call is None:
                out += self._before(delta)
                call = _Call(delta, *self._new)
                self._calls.append(call)
            if isinstance(delta.index, int):
                self._at[delta.index] = call
            out.append(call.take(delta))
        if flush:
            for call in self._calls:
                out += self._rest(call)
        same = len(out) == len(deltas) and all(map(_is, out, deltas))
        return None if same else out

    def _of(self, delta: ToolCallDelta) -> _Call | None:
        """Find the call that a delta goes on with; None: it begins one."""
        name = _name(delta)
        if isinstance(delta.index, int):
            call = self._at.get(delta.index)
            return None if call is None or call.ended_by(delta.id, name) else call
        if delta.id:
            return next((call for call in self._calls if call.id == delta.id), None)
        return self._calls[-1] if self._calls and not name else None

    def _before(self, delta: ToolCallDelta) -> list[ToolCallDelta]:
        """Return the rest of calls that can't be reached any more once this piece begins one."""
        out: list[ToolCallDelta] = []
        if isinstance(delta.index, int) and delta.index in self._at:
            out += self._rest(self._at[delta.index])
        if self._calls and not self._calls[-1].id:
            out += self._rest(self._calls[-1])
        return out

    def _rest(self, call: _Call) -> list[ToolCallDelta]:
        is_at_index = isinstance(call.index, int) and self._at.get(call.index) is call
        place = {"index": call.index} if is_at_index else {"id": call.id}
        rest = call.rest()
        return [ToolCallDelta(**place, **rest)] if rest else []


class _Call:
    """One call: its windows, and what tells whether a piece belongs to it."""

    def __init__(
        self, delta: ToolCallDelta, text: Callable[[], Window], arguments: Callable[[], Window]
    ) -> None:
        self.index = delta.index
        self.id: Any = None
        self._arguments = arguments()
        self._input = text()
        self._name: Any = None
        self._has_arguments = False

    def ended_by(self, identity: Any, name: Any) -> bool:
        """Tell whether a piece under this call's index begins another call."""
        if not name:
            return False
        if identity and self.id:
            return bool(identity != self.id)
        return bool(self._name) and self._name != name and self._has_arguments

    @property
    def held(self) -> int:
        return self._arguments.held + self._input.held

    def take(self, delta: ToolCallDelta) -> ToolCallDelta:
        """Return what goes out for one piece."""
        self.id = self.id or delta.id
        function = delta.function
        if function is not None:
            self._add_name(function.name)
            self._has_arguments = self._has_arguments or bool(function.arguments)
        return _rewritten(delta, self._arguments.passed, self._input.passed)

    def rest(self) -> dict[str, Any]:
        """Return the fields of a piece that has what was held."""
        arguments, text = joined(self._arguments.flush()), joined(self._input.flush())
        rest: dict[str, Any] = {}
        if arguments:
            rest["function"] = FunctionCallDelta(arguments=arguments)
        if text:
            rest["extra"] = {"custom": {"input": text}}
        return rest

    def _add_name(self, name: Any) -> None:
        """Add a name that is sent once, again and again, or in pieces."""
        mine = self._name
        if name and mine and name != mine and not self._has_arguments:
            goes_on = isinstance(name, str) and isinstance(mine, str) and not name.startswith(mine)
            self._name = mine + name if goes_on else name
        else:
            self._name = mine or name


def whole_calls(
    calls: Sequence[ToolCall], text: Callable[[], Window], arguments: Callable[[], Window]
) -> list[ToolCall] | None:
    """Return the calls of a whole message rewritten, None if nothing changes."""

    def whole(window: Window, given: str) -> str:
        return joined(window.feed(given) + window.flush())

    out = [_rewritten(call, partial(whole, arguments()), partial(whole, text())) for call in calls]
    return None if all(map(_is, out, calls)) else out


def _rewritten(call: _C, arguments: Callable[[str], str], text: Callable[[str], str]) -> _C:
    """Return a call, or a piece of one, with its arguments and its input rewritten."""
    changed: dict[str, Any] = {}
    function = call.function
    if function is not None and isinstance(function.arguments, str):
        goes = arguments(function.arguments)
        if goes != function.arguments:
            changed["function"] = evolve(function, arguments=goes)
    custom = call.extra.get("custom")
    given = custom.get("input") if is_object(custom) else None
    if is_object(custom) and isinstance(given, str) and (goes := text(given)) != given:
        changed["extra"] = {**call.extra, "custom": {**custom, "input": goes}}
    return evolve(call, **changed) if changed else call


def _name(delta: ToolCallDelta) -> Any:
    if delta.function is not None:
        return delta.function.name
    custom = delta.extra.get("custom")
    return custom.get("name") if is_object(custom) else None


def _is(one: object, other: object) -> bool:
    return one is other
