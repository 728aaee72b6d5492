"""Adding up one message that arrives in pieces."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from orq_core._accumulate.calls import Calls, Function
from orq_core._accumulate.folding import Text, copied, first, given_of, grow, joined, keep, mark
from orq_core._accumulate.parts import Content
from orq_core._json import is_list, is_object
from orq_core.models import Audio, Message
from orq_core.models.base import NOTHING_GIVEN

if TYPE_CHECKING:
    from orq_core.models import Delta

_TEXTS = ("refusal", "reasoning", "reasoning_content", "reasoning_signature", "redacted_reasoning")
_LISTS = ("reasoning_details", "annotations")
_UNKNOWN_TEXTS = frozenset({"reasoning_text", "thinking"})
_NUMBERED_ANEW = frozenset({"images"})  # from 0 in each chunk, by some gateways


class MessageFold:
    """The message of one choice."""

    __slots__ = (
        "_audio",
        "_calls",
        "_extra",
        "_function",
        "_given",
        "_lists",
        "_name",
        "_role",
        "_texts",
        "_unknown_texts",
        "content",
    )

    def __init__(self) -> None:
        """Begin with nothing."""
        self._role: Any = None
        self._name: Any = None
        self.content = Content()
        self._texts: dict[str, Text] = {}
        self._lists: dict[str, Any] | None = None  # few messages have any
        self._calls: Calls | None = None
        self._function: Function | None = None
        self._audio: AudioFold | None = None
        self._unknown_texts: dict[str, Text] | None = None
        self._extra: dict[str, Any] = {}
        self._given = NOTHING_GIVEN

    @property
    def says_anything(self) -> bool:
        """Whether more than a role has arrived."""
        return bool(
            self.content
            or self._calls
            or self._function
            or self._audio
            or any(self._texts.values()),
        )

    def add(self, delta: Delta) -> None:
        """Take one chunk's piece."""
        if delta.content is not None:
            self.content.add(delta.content)
        if delta.role is not None:
            self._role = first(self._role, delta.role)
        if delta.name is not None:
            self._name = first(self._name, delta.name)
        if (
            delta.refusal is not None
            or delta.reasoning is not None
            or delta.reasoning_content is not None
            or delta.reasoning_signature is not None
            or delta.redacted_reasoning is not None
            or delta.reasoning_details is not None
            or delta.annotations is not None
        ):
            self._add_rare(delta)
        if delta.tool_calls is not None:
            self._calls = Calls() if self._calls is None else self._calls
            self._calls.extend(delta.tool_calls)
        if delta.function_call is not None:
            self._function = self._function or Function()
            self._function.add(delta.function_call)
        if delta.audio is not None:
            self._audio = self._audio or AudioFold()
            self._audio.add(delta.audio)
        if delta.extra:
            self._add_unknown(delta.extra)
        given = given_of(delta)
        if given is not self._given:
            self._given = joined(self._given, given)

    def _add_rare(self, delta: Delta) -> None:
        for name in _TEXTS:
            piece = getattr(delta, name)
            if piece is not None:
                self._texts.setdefault(name, Text()).add(piece)
        for name in _LISTS:
            items = getattr(delta, name)
            if items is not None:
                self._add_list(name, items)

    def _add_list(self, name: str, items: Any) -> None:
        self._lists = self._lists or {}
        earlier = self._lists.get(name)
        if is_list(items) and is_list(earlier):
            earlier.extend(items)
        else:
            self._lists[name] = copied(items)

    def _add_unknown(self, extra: dict[str, Any]) -> None:
        for name, value in extra.items():
            if name in _UNKNOWN_TEXTS and isinstance(value, str):
                self._unknown_texts = self._unknown_texts or {}
                self._unknown_texts.setdefault(name, Text()).add(value)
            elif name not in _NUMBERED_ANEW and is_list(value) and is_list(self._extra.get(name)):
                _go_on(self._extra[name], value)
            else:
                grow(self._extra, name, value)

    def value(self) -> Message:
        """Return the message so far."""
        fields = {name: copied(value) for name, value in (self._lists or {}).items()}
        fields.update((name, text.value()) for name, text in self._texts.items())
        texts = self._unknown_texts or {}
        unknown = {name: text.value() for name, text in texts.items()}
        message = Message(
            role=self._role,
            name=self._name,
            content=self.content.value(),
            tool_calls=None if self._calls is None else self._calls.value(),
            function_call=None if self._function is None else self._function.value(),
            audio=None if self._audio is None else self._audio.value(),
            extra={name: copied(value) for name, value in self._extra.items()} | unknown,
            **fields,
        )
        return mark(message, self._given)


def _go_on(items: list[Any], more: list[Any]) -> None:
    """Add items; one with an earlier one's index is that one again, with what has become of it."""
    for item in more:
        at: Any = item.get("index") if is_object(item) else None
        earlier = items[at] if isinstance(at, int) and 0 <= at < len(items) else None
        if is_object(earlier) and earlier.get("index") == at:
            items[at] = {**earlier, **item}
        else:
            items.append(item)


class AudioFold:
    """Spoken output."""

    __slots__ = ("_data", "_expires_at", "_extra", "_given", "_id", "_transcript")

    def __init__(self) -> None:
        """Begin with nothing."""
        self._id: Any = None
        self._expires_at: Any = None
        self._data = Text()
        self._transcript = Text()
        self._extra: dict[str, Any] = {}
        self._given = NOTHING_GIVEN

    def add(self, audio: Audio) -> None:
        """Take one chunk's piece."""
        self._id = first(self._id, audio.id)
        if audio.expires_at is not None:
            self._expires_at = audio.expires_at
        if audio.data is not None:
            self._data.add(audio.data)
        if audio.transcript is not None:
            self._transcript.add(audio.transcript)
        keep(self._extra, audio.extra)
        self._given = joined(self._given, given_of(audio))

    def value(self) -> Audio:
        """Return the sound so far."""
        audio = Audio(
            id=self._id,
            expires_at=self._expires_at,
            data=self._data.value(),
            transcript=self._transcript.value(),
            extra=dict(self._extra),
        )
        return mark(audio, self._given)
