"""Events that repeat each other but for one string, read without parsing what they repeat.

Nearly every event of a stream has the bytes of the one before it, up to the text that it adds.
Between the same bytes any one JSON string means the same event with another text, because nothing
within a JSON string changes the meaning of what is around it. So the bytes around the text are
compared, the text alone is decoded, and the models are copied: less than half the time of parsing
and reading all of it (``python -m tests.benchmarks.decoding``).
"""

from __future__ import annotations

import re
from functools import cache, partial
from typing import TYPE_CHECKING, Any, TypeVar, Union, cast

import msgspec

from orq_core._json import dumps, is_list, is_object, loads
from orq_core.models import (
    ChatCompletionChunk,
    ChunkChoice,
    Delta,
    FunctionCallDelta,
    ToolCallDelta,
)
from orq_core.models._alike import PATH, is_plain, values_of
from orq_core.models._generated import copier, is_generated

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from cattrs import Converter

    from orq_core._sse import Block
    from orq_core.models import ChatCompletion

Piece = Union[ChatCompletionChunk, "tuple[Template, list[str]]"]
"""A chunk, or what some are made of."""

T = TypeVar("T", bound="ChatCompletion | ChatCompletionChunk")

_TEXTS = ("content", "reasoning_content", "reasoning")
_ARGUMENTS = "arguments"
_CLASSES = (ChatCompletionChunk, ChunkChoice, Delta, ToolCallDelta, FunctionCallDelta)
_SITE = r'"%s"\s*:\s*("(?:[^"\\]|\\.)*")'
_KEPT = 4  # templates at once: choices and tool calls take turns
_TRIALS = 3  # templates that may prove useless before learning stops

decode_text = msgspec.json.Decoder(str).decode
_texts = msgspec.json.Decoder(list[str]).decode


class Template:
    """An event with a hole for one string.

    ``before`` and ``after`` are its bytes around the string, the quotes included; ``field`` is the
    delta's field with the hole, or ``arguments`` of its only tool call. ``make`` makes the event
    with another text: new models throughout. ``adds_content_only``: there is nothing else in it
    that would grow from event to event.
    """

    __slots__ = (
        "adds_content_only",
        "after",
        "around",
        "before",
        "least",
        "make",
        "start",
        "stop",
    )

    make: Callable[[str], ChatCompletionChunk]

    def __init__(self, before: bytes, after: bytes, field: str, chunk: ChatCompletionChunk) -> None:
        """Keep a chunk that nobody else has."""
        self.before, self.after = before, after
        self.around = after + b"\n" + before
        self.least = len(before) + len(after)
        self.start, self.stop = len(before) - 1, 1 - len(after)
        choice = chunk.choices[0]
        delta = choice.delta
        models: list[Any] = [chunk, choice, delta]
        if field == _ARGUMENTS:
            calls: list[Any] = delta.tool_calls or []
            models += [calls[0], calls[0].function]
        # As a partial it costs no call of its own.
        self.make = partial(_copier(field), *models)
        others = values_of(Delta, frozenset({"content", "role", "name"}))
        self.adds_content_only = field == "content" and not any(others(delta))


@cache
def _copier(field: str) -> Callable[..., ChatCompletionChunk]:
    outer = PATH[:2]
    if field != _ARGUMENTS:
        return copier(*outer, (Delta, field, False))
    call = (ToolCallDelta, "function", False), (FunctionCallDelta, field, False)
    return copier(*outer, (Delta, "tool_calls", True), *call)


class Templates:
    """The templates of one stream."""

    __slots__ = (
        "_converter",
        "_known",
        "_last",
        "_learned",
        "_off",
        "used",
    )

    def __init__(self, converter: Converter) -> None:
        """Learn from what this converter reads."""
        self._converter = converter
        self._known: Sequence[Template] = ()
        self._last: Template | None = None
        self._learned = 0
        self.used = 0
        self._off: bool | None = None

    def find(self, data: bytes) -> Piece | None:
        """Read an event that repeats an earlier one; None if it is none."""
        for template in self._known:
            if (
                data.startswith(template.before)
                and data.endswith(template.after)
                and len(data) >= template.least
            ):
                try:
                    text = decode_text(data[template.start : template.stop])
                except (msgspec.MsgspecError, UnicodeError):
                    continue
                self.used += 1
                self._last = template
                return template, [text]
        return None

    def run(self, blocks: Sequence[Block]) -> tuple[Template, list[str]] | None:
        """Read events that all repeat the template of the last one; None if one does not.

        Put together, they are compared and decoded in a few steps for all of them, a fifth of
        the time of `find`.
        """
        template = self._last
        if template is None or {*map(type, blocks)} != {bytes}:
            return None
        before, after = template.before, template.after
        start, stop = template.start + 1, template.stop - 1
        data = cast("Sequence[bytes]", blocks)
        texts = [block[start:stop] for block in data]
        if b"".join((before, template.around.join(texts), after)) != b"\n".join(data):
            return None
        joined = b'","'.join(texts)
        if b'\\","' in joined or joined.endswith(b"\\"):
            return None
        try:
            strings = _texts(b'["%b"]' % joined)
        except (msgspec.MsgspecError, UnicodeError):
            return None
        if len(strings) != len(blocks):
            # A text has quotes of its own. Each would add one, as none of the others is escaped.
            return None
        self.used += len(strings)
        return template, strings

    def learn(self, data: bytes, body: dict[str, Any]) -> None:
        """Take an event that had to be parsed."""
        hook = self._converter.get_structure_hook
        if self._off is None:
            # Hooks of others may look at the text, so nothing may be read without them.
            self._off = not all(is_generated(hook(each)) for each in _CLASSES)
        if self._off or self._learned > _TRIALS + self.used // _KEPT:
            return
        template = _template(data, body, hook(ChatCompletionChunk))
        if template is not None:
            self._learned += 1
            self._last = template
            self._known = [template, *self._known[: _KEPT - 1]]


def unfolded(pieces: Iterable[T | tuple[Template, list[str]]]) -> Iterator[T | ChatCompletionChunk]:
    """Yield the items themselves."""
    for piece in pieces:
        if isinstance(piece, tuple):
            template, texts = piece
            yield from map(template.make, texts)
        else:
            yield piece


def _template(
    data: bytes, body: dict[str, Any], structure: Callable[[Any, Any], Any]
) -> Template | None:
    hole = _hole(body)
    if hole is None:
        return None
    field, holder = hole
    text = holder[field]
    for site in _site(field).finditer(data):
        before, after = data[: site.start(1) + 1], data[site.end(1) - 1 :]
        # Another field of that name may stand elsewhere: what another text does tells them apart.
        holder[field] = other = text + "."
        try:
            same = loads(before[:-1] + dumps(other) + after[1:]) == body
        except ValueError:
            same = False
        holder[field] = text
        if same:
            chunk = structure(body, ChatCompletionChunk)
            return Template(before, after, field, chunk) if is_plain(chunk) else None
    return None


def _hole(body: dict[str, Any]) -> tuple[str, dict[str, Any]] | None:
    """Find the field that goes on from event to event, and the object it is in."""
    choices = body.get("choices")
    choice = choices[0] if is_list(choices) and len(choices) == 1 else None
    if not is_object(choice) or choice.get("finish_reason"):
        # None comes after the last one that would repeat it.
        return None
    delta = choice.get("delta")
    if not is_object(delta):
        return None
    calls = delta.get("tool_calls")
    call = calls[0] if is_list(calls) and len(calls) == 1 else None
    function = call.get("function") if is_object(call) else None
    if is_object(function):
        return (_ARGUMENTS, function) if isinstance(function.get(_ARGUMENTS), str) else None
    for name in _TEXTS:
        if delta.get(name) and isinstance(delta[name], str):
            return name, delta
    return None


@cache
def _site(field: str) -> re.Pattern[bytes]:
    return re.compile((_SITE % field).encode())
