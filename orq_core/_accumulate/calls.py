"""Adding up tool calls that arrive in pieces, from servers that number them as they like."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from orq_core._accumulate.folding import (
    Text,
    first,
    given_of,
    is_stand_in,
    joined,
    keep,
    mark,
    number,
)
from orq_core._json import is_object
from orq_core.models import FunctionCall, ToolCall
from orq_core.models.base import NOTHING_GIVEN

if TYPE_CHECKING:
    from orq_core.models import FunctionCallDelta, ToolCallDelta


class Calls:
    """The tool calls of one message, in order of arrival."""

    __slots__ = ("_at", "_calls")

    def __init__(self) -> None:
        """Begin with none."""
        self._calls: list[_Call] = []
        self._at: dict[Any, _Call] = {}

    def extend(self, deltas: list[ToolCallDelta]) -> None:
        """Take one chunk's list."""
        for delta in deltas:
            index: Any = delta.index
            if isinstance(index, float):
                index = number(index)
            call = self._of(delta, index)
            if call is None:
                call = _Call()
                self._calls.append(call)
            if isinstance(index, int):
                self._at[index] = call
            call.add(delta)

    def __bool__(self) -> bool:
        return bool(self._calls)

    def value(self) -> list[ToolCall]:
        """Return the calls so far."""
        return [call.value() for call in self._calls]

    def _of(self, delta: ToolCallDelta, index: Any) -> _Call | None:
        """Find the call that a delta goes on with; None: it begins one."""
        name = _name(delta)
        if isinstance(index, int):
            call = self._at.get(index)
            return None if call is None or call.ended_by(delta.id, name) else call
        if delta.id:
            return next((call for call in self._calls if call.id == delta.id), None)
        return self._calls[-1] if self._calls and not name else None


class Function:
    """One function's name and arguments."""

    __slots__ = ("_arguments", "_extra", "_given", "name")

    def __init__(self) -> None:
        """Begin with nothing."""
        self.name: Any = None
        self._arguments = Text()
        self._extra: dict[str, Any] = {}
        self._given = NOTHING_GIVEN

    @property
    def has_arguments(self) -> bool:
        """Whether any of the arguments have arrived."""
        return bool(self._arguments)

    def add(self, delta: FunctionCallDelta) -> None:
        """Take one chunk's piece; a name is sent once, again and again, or in pieces."""
        name: Any = delta.name
        mine = self.name
        if name and mine and name != mine and not self.has_arguments:
            if isinstance(name, str) and isinstance(mine, str):
                self.name = name if name.startswith(mine) else mine + name
        elif not mine and name is not None:
            self.name = name
        if delta.arguments is not None:
            self._arguments.add(delta.arguments)
        keep(self._extra, delta.extra)
        self._given = joined(self._given, given_of(delta))

    def value(self) -> FunctionCall:
        """Return the function call so far."""
        call = FunctionCall(
            name=self.name,
            arguments=self._arguments.value(),
            extra=dict(self._extra),
        )
        return mark(call, self._given)


class _Call:
    """One tool call."""

    __slots__ = (
        "_content",
        "_custom",
        "_custom_input",
        "_extra",
        "_function",
        "_given",
        "_index",
        "_signature",
        "_type",
        "id",
    )

    def __init__(self) -> None:
        self.id: Any = None
        self._type: Any = None
        self._index: Any = None
        self._signature: Any = None
        self._content: Any = None
        self._function: Function | None = None
        self._custom: dict[str, Any] | None = None
        self._custom_input = Text()
        self._extra: dict[str, Any] = {}
        self._given = NOTHING_GIVEN

    def ended_by(self, identity: Any, name: Any) -> bool:
        """Tell whether a piece under this call's index begins another call.

        Some servers send every call under index 0, others a new id with every piece: only a piece
        that names its function as well begins a call.
        """
        if not name:
            return False
        if identity and self.id:
            return bool(identity != self.id)
        mine = self._function
        return mine is not None and bool(mine.name) and mine.name != name and mine.has_arguments

    def add(self, delta: ToolCallDelta) -> None:
        self.id = first(self.id, delta.id)
        self._type = first(self._type, delta.type)
        if self._index is None and not is_stand_in(delta, "index"):
            self._index = delta.index
        if delta.thought_signature is not None:
            self._signature = delta.thought_signature
        if delta.extra_content is not None:
            self._content = delta.extra_content
        if delta.function is not None:
            self._function = self._function or Function()
            self._function.add(delta.function)
        extra = delta.extra
        custom = extra.get("custom") if extra else None
        if is_object(custom):
            extra = {name: value for name, value in extra.items() if name != "custom"}
            self._add_custom(custom)
        keep(self._extra, extra)
        self._given = joined(self._given, given_of(delta))

    def _add_custom(self, custom: dict[str, Any]) -> None:
        self._custom = {} if self._custom is None else self._custom
        for name, value in custom.items():
            if name == "input" and isinstance(value, str):
                self._custom_input.add(value)
            elif value or name not in self._custom:
                self._custom[name] = value

    def value(self) -> ToolCall:
        extra = dict(self._extra)
        if self._custom is not None:
            extra["custom"] = dict(self._custom)
            given = self._custom_input.value()
            if given is not None:
                extra["custom"]["input"] = given
        call = ToolCall(
            id=self.id,
            type=self._type,
            index=self._index,
            thought_signature=self._signature,
            extra_content=self._content,
            function=None if self._function is None else self._function.value(),
            extra=extra,
        )
        return mark(call, self._given)


def _name(delta: ToolCallDelta) -> Any:
    if delta.function is not None:
        return delta.function.name
    custom = delta.extra.get("custom")
    return custom.get("name") if is_object(custom) else None
