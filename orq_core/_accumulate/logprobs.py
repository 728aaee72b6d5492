"""Adding up the tokens' log probabilities of one choice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from orq_core._accumulate.folding import copied, given_of, grow, joined, mark
from orq_core.models import Logprobs
from orq_core.models.base import NOTHING_GIVEN

if TYPE_CHECKING:
    from orq_core.models import TokenLogprob


class LogprobsFold:
    """Token by token; providers' own lists grow as well."""

    __slots__ = ("_content", "_extra", "_given", "_refusal")

    def __init__(self) -> None:
        """Begin with nothing."""
        self._content: list[TokenLogprob] | None = None
        self._refusal: list[TokenLogprob] | None = None
        self._extra: dict[str, Any] = {}
        self._given = NOTHING_GIVEN

    def add(self, logprobs: Logprobs) -> None:
        """Take one chunk's tokens."""
        if logprobs.content is not None:
            self._content = self._content or []
            self._content.extend(logprobs.content)
        if logprobs.refusal is not None:
            self._refusal = self._refusal or []
            self._refusal.extend(logprobs.refusal)
        for name, value in logprobs.extra.items():
            grow(self._extra, name, value)
        self._given = joined(self._given, given_of(logprobs))

    def value(self) -> Logprobs:
        """Return those of all chunks so far."""
        logprobs = Logprobs(
            content=None if self._content is None else list(self._content),
            refusal=None if self._refusal is None else list(self._refusal),
            extra={name: copied(value) for name, value in self._extra.items()},
        )
        return mark(logprobs, self._given)
