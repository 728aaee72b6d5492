"""What is known of an answer, and what it says."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orq_core import ChatCompletion
from orq_core._accumulate import Accumulator
from orq_plugins.tracing.messages import KEPT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orq_core import Item
    from orq_core.models import Choice, ChunkChoice, Usage
    from orq_plugins.tracing.facts import Found


class Answer:
    """Identity, ending and tokens of an answer, an item at a time."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.id: str | None = None
        self.model: str | None = None
        self.usage: Usage | None = None
        self._reasons: dict[int, str] = {}

    def add(self, item: Item) -> None:
        """Take the next item."""
        if self.id is None:
            self.id = item.id
        if self.model is None:
            self.model = item.model
        if item.usage is not None:
            self.usage = item.usage
        choices: Sequence[Choice | ChunkChoice] = item.choices
        for position, choice in enumerate(choices):
            if choice.finish_reason:
                index = choice.index
                self._reasons[position if index is None else index] = choice.finish_reason

    def said(self) -> Found:
        """Return which answer it was and how it ended."""
        reasons = self._reasons
        return {
            "answer_id": self.id,
            "answer_model": self.model,
            "finish_reasons": [reasons[index] for index in sorted(reasons)] or None,
        }

    def tokens(self) -> dict[str, int | None]:
        """Return the counts of tokens, as the server gave them."""
        usage = self.usage
        if usage is None:
            return {}
        read, written = usage.prompt_tokens_details, usage.completion_tokens_details
        return {
            "input_tokens": _count(usage.prompt_tokens),
            "output_tokens": _count(usage.completion_tokens),
            "reasoning_tokens": _count(written.reasoning_tokens) if written else None,
            "cache_read_tokens": _count(read.cached_tokens) if read else None,
            "cache_creation_tokens": _count(read.cache_creation_tokens) if read else None,
        }


class Said:
    """Keeps what an answer says, up to a length."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._accumulator = Accumulator()
        self._whole: ChatCompletion | None = None
        self._characters = 0

    def add(self, item: Item) -> None:
        """Take the next item."""
        if isinstance(item, ChatCompletion):
            self._whole = item
        elif self._characters <= KEPT:
            self._characters += len(item.text)
            self._accumulator.add(item)

    def completion(self) -> ChatCompletion:
        """Return what was said."""
        return self._accumulator.completion() if self._whole is None else self._whole


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
