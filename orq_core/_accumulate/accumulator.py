"""Chunks to the completion they make."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from orq_core._accumulate.folding import (
    first,
    given_of,
    is_stand_in,
    joined,
    keep,
    mark,
    place,
)
from orq_core._accumulate.logprobs import LogprobsFold
from orq_core._accumulate.messages import MessageFold
from orq_core._json import is_object
from orq_core.models import ChatCompletion, Choice, Delta, make_converter
from orq_core.models.base import NOTHING_GIVEN, kind_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from orq_core._answers import Piece
    from orq_core._answers.template import Template
    from orq_core.models import ChatCompletionChunk, ChunkChoice, Usage


_WHOLE = "chat.completion"


class Accumulator:
    """Adds up the chunks of one stream; `add` takes the same time however many came before."""

    __slots__ = (
        "_choices",
        "_created",
        "_extra",
        "_fingerprint",
        "_given",
        "_grow",
        "_id",
        "_model",
        "_object",
        "_template",
        "_tier",
        "_usage",
    )

    def __init__(self) -> None:
        """Begin with nothing."""
        self._choices: dict[Any, _Choice] = {}
        self._id: Any = None
        self._model: Any = None
        self._created: Any = None
        self._object: str | None = None
        self._fingerprint: Any = None
        self._tier: Any = None
        self._usage: Usage | None = None
        self._extra: dict[str, Any] = {}
        self._given: frozenset[str] | None = None
        self._template: Template | None = None
        self._grow: Callable[[list[str]], None]  # set with the template

    @property
    def choices_seen(self) -> int:
        """How many choices have appeared."""
        return len(self._choices)

    @property
    def finished(self) -> bool:
        """Whether there are choices, and each has said why it ended."""
        return bool(self._choices) and all(choice.reason for choice in self._choices.values())

    def take(self, piece: Piece) -> None:
        """Take the next chunk, or what the next ones are made of.

        What a template repeats counts once; after that only its text grows.
        """
        if not isinstance(piece, tuple):
            self.add(piece)
            return
        template, texts = piece
        if template is self._template:
            self._grow(texts)
            return
        for at, text in enumerate(texts, 1):
            chunk = template.make(text)
            self.add(chunk)
            if template.adds_content_only:
                # The template last: Ctrl-C may come between any two lines, and the rest goes by it.
                self._grow = self._choices[place(chunk.choices[0].index, 0)].grower()
                self._grow(texts[at:])
                self._template = template
                break

    def add(self, chunk: ChatCompletionChunk) -> None:
        """Take the next chunk, which is not kept."""
        self._template = None
        if not self._id:
            self._id = first(self._id, chunk.id)
        if not self._model:
            self._model = first(self._model, chunk.model)
        if not self._created:
            self._created = first(self._created, chunk.created)
        if self._object is None and not is_stand_in(chunk, "object"):
            self._object = _WHOLE
        if chunk.system_fingerprint is not None:
            self._fingerprint = chunk.system_fingerprint
        if chunk.service_tier is not None:
            self._tier = chunk.service_tier
        if chunk.usage is not None:
            self._usage = chunk.usage
        if chunk.extra:
            keep(self._extra, chunk.extra)
        given = given_of(chunk)
        if given is not self._given:
            self._given = given if self._given is None else joined(self._given, given)
        for position, choice in enumerate(chunk.choices):
            key: Any = choice.index
            if kind_of(key) is not int:
                key = place(key, position)
            state = self._choices.get(key)
            if state is None:
                state = self._choices[key] = _Choice()
            state.add(choice)

    def completion(self) -> ChatCompletion:
        """Return what the chunks so far make: a new object each time."""
        completion = ChatCompletion(
            id=self._id,
            object=self._object,
            created=self._created,
            model=self._model,
            choices=[self._choices[key].value() for key in sorted(self._choices, key=_order)],
            usage=self._usage,
            system_fingerprint=self._fingerprint,
            service_tier=self._tier,
            extra=dict(self._extra),
        )
        return completion if self._given is None else mark(completion, self._given)


class _Choice:
    """One choice."""

    __slots__ = (
        "_extra",
        "_given",
        "_index",
        "_logprobs",
        "_message",
        "_whole",
        "reason",
    )

    def __init__(self) -> None:
        self.reason: Any = None
        self._index: Any = None
        self._message = MessageFold()
        self._whole: dict[str, Any] | None = None
        self._logprobs: LogprobsFold | None = None
        self._extra: dict[str, Any] = {}
        self._given = NOTHING_GIVEN

    def add(self, choice: ChunkChoice) -> None:
        if choice.index is not None:
            self._index = choice.index
        if choice.finish_reason or (choice.finish_reason is not None and self.reason is None):
            self.reason = choice.finish_reason
        self._message.add(choice.delta)
        if choice.logprobs is not None:
            self._logprobs = self._logprobs or LogprobsFold()
            self._logprobs.add(choice.logprobs)
        given = given_of(choice)
        if given is not self._given:
            self._given = joined(self._given, given)
        extra = choice.extra
        if extra:
            whole = extra.get("message")
            if is_object(whole):
                self._whole = _longer(self._whole, whole)
                extra = {name: value for name, value in extra.items() if name != "message"}
            keep(self._extra, extra)

    def grower(self) -> Callable[[list[str]], None]:
        return self._message.content.grower()

    def value(self) -> Choice:
        message = self._message
        if self._whole is not None and not message.says_anything:
            message = MessageFold()
            message.add(_delta_reader()(self._whole, Delta))
        choice = Choice(
            index=self._index,
            finish_reason=self.reason,
            message=message.value(),
            logprobs=None if self._logprobs is None else self._logprobs.value(),
            extra=dict(self._extra),
        )
        # A null delta is a null message.
        return mark(choice, ("message" if name == "delta" else name for name in self._given))


def _longer(before: dict[str, Any] | None, now: dict[str, Any]) -> dict[str, Any]:
    """Add up whole messages sent in place of pieces: each repeats the earlier ones, or goes on."""
    if before is None:
        return now
    old, new = before.get("content"), now.get("content")
    if not isinstance(old, str) or not isinstance(new, str) or new.startswith(old):
        return {**before, **now}
    return {**before, **now, "content": old + new}


def _order(key: Any) -> tuple[bool, Any]:
    return isinstance(key, str), key


@cache
def _delta_reader() -> Callable[[Any, type[Delta]], Delta]:
    return make_converter().get_structure_hook(Delta)
