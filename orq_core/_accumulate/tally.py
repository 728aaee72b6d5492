"""What a stream has handed out, added up when somebody asks for it."""

from __future__ import annotations

from operator import length_hint
from typing import TYPE_CHECKING

from orq_core._accumulate.accumulator import Accumulator

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from orq_core._answers.template import Template
    from orq_core.models import ChatCompletion, ChatCompletionChunk


class Tally:
    """Counts chunks and keeps what they make; of chunks alike only the texts, to add them at once.

    That is a tenth less for each event. ``texts``: those of chunks that were handed out or are
    about to be, and ``left`` yields the latter.
    """

    __slots__ = ("_accumulator", "_delivered", "_template", "left", "texts")

    def __init__(self) -> None:
        """Begin with nothing."""
        self.texts: list[str] = []
        self.left: Iterator[str] = iter(())
        self._template: Template | None = None
        self._delivered = 0
        self._accumulator: Accumulator | None = None  # a whole answer needs none

    def alike(self, template: Template, texts: Sequence[str]) -> bool:
        """Take chunks that are about to be handed out; tell whether the last ones were such too."""
        again = template is self._template
        if not again:
            self._settle()
            self.texts, self._template = [], template
        self.texts += texts
        return again

    def add(self, chunk: ChatCompletionChunk) -> None:
        """Take a chunk that is handed out."""
        self._settle().add(chunk)
        self._delivered += 1

    @property
    def delivered(self) -> int:
        """How many chunks were handed out."""
        self._settle()
        return self._delivered

    def completion(self) -> ChatCompletion:
        """Return what they add up to."""
        return self._settle().completion()

    def _settle(self) -> Accumulator:
        if self._accumulator is None:
            self._accumulator = Accumulator()
        handed = len(self.texts) - length_hint(self.left)
        if self._template is not None and handed:
            self._accumulator.take((self._template, self.texts[:handed]))
            self._delivered += handed
            del self.texts[:handed]
        return self._accumulator
