"""Adding up message content that arrives in pieces: text, or lists of parts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from orq_core._accumulate.folding import Text
from orq_core._json import is_list, is_object

if TYPE_CHECKING:
    from collections.abc import Callable

_STREAMED = ("text", "thinking", "reasoning")
_DEEPEST = 16  # parts in parts that grow; servers send one in another


class Content:
    """The content of a message: text, parts, or an object that is kept as it is."""

    __slots__ = ("_parts", "_text")

    def __init__(self) -> None:
        """Begin with nothing."""
        self._text = Text()
        self._parts: Parts | None = None

    def add(self, content: Any) -> None:
        """Take what one chunk has."""
        if is_list(content):
            if self._parts is None:
                self._parts = Parts()
                if before := self._text.value():  # servers change over in mid-stream
                    self._parts.extend([{"type": "text", "text": before}])
            self._parts.extend(content)
        elif self._parts is None:
            self._text.add(content)
        elif content and isinstance(content, str):
            self._parts.extend([{"type": "text", "text": content}])

    def grower(self) -> Callable[[list[str]], None]:
        """Return what takes more text until something else has been added."""
        return self._text.grower() if self._parts is None else self._add_each

    def _add_each(self, texts: list[str]) -> None:
        for text in texts:
            self.add(text)

    def __bool__(self) -> bool:
        return bool(self._parts or self._text)

    def value(self) -> Any:
        """Return the content so far, None if there was none."""
        return self._text.value() if self._parts is None else self._parts.value()


class Parts:
    """A list of parts whose last one grows."""

    __slots__ = ("_depth", "_parts")

    def __init__(self, depth: int = 0) -> None:
        """Begin with no parts."""
        self._depth = depth
        self._parts: list[_Part] = []

    def extend(self, parts: list[Any]) -> None:
        """Take one chunk's list; only its first part may go on with the last one so far."""
        for position, part in enumerate(parts):
            last = self._parts[-1] if self._parts and position == 0 else None
            if last is None or not last.goes_on_with(part):
                last = _Part(self._depth)
                self._parts.append(last)
            last.add(part)

    def __bool__(self) -> bool:
        return bool(self._parts)

    def value(self) -> list[Any]:
        """Return a list of new objects."""
        return [part.value() for part in self._parts]


class _Part:
    """One part: a type, streamed strings or lists, and other fields, whose last value counts."""

    __slots__ = ("_depth", "_fields", "_streams", "_whole")

    def __init__(self, depth: int) -> None:
        self._depth = depth
        self._fields: dict[str, Any] = {}
        self._streams: dict[str, Text | Parts] = {}
        self._whole: list[Any] = []

    def goes_on_with(self, part: Any) -> bool:
        return (
            is_object(part)
            and part.get("type") == self._fields.get("type")
            and part.get("index") == self._fields.get("index")
            and any(isinstance(part.get(name), (str, list)) for name in self._streams)
        )

    def add(self, part: Any) -> None:
        if not is_object(part):
            self._whole = [part]
            return
        for name, value in part.items():
            stream = self._streams.get(name)
            if name in _STREAMED and isinstance(value, str):
                if not isinstance(stream, Text):
                    stream = self._streams[name] = Text()
                stream.add(value)
            elif name in _STREAMED and is_list(value) and self._depth < _DEEPEST:
                if not isinstance(stream, Parts):
                    stream = self._streams[name] = Parts(self._depth + 1)
                stream.extend(value)
            else:
                self._fields[name] = value

    def value(self) -> Any:
        if self._whole:
            return self._whole[0]
        streams = {name: stream.value() for name, stream in self._streams.items()}
        return {**self._fields, **streams}
