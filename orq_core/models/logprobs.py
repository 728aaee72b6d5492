"""Log probabilities of tokens."""

from __future__ import annotations

from attrs import define

from orq_core.models.base import Answer


@define(kw_only=True)
class TopLogprob(Answer):
    """One of the likeliest tokens at a position; ``bytes`` is its UTF-8, where it has any."""

    token: str | None = None
    logprob: float | None = None
    bytes: list[int] | None = None


@define(kw_only=True)
class TokenLogprob(Answer):
    """The token at a position, and its rivals."""

    token: str | None = None
    logprob: float | None = None
    bytes: list[int] | None = None
    top_logprobs: list[TopLogprob] | None = None


@define(kw_only=True)
class Logprobs(Answer):
    """The tokens of a choice's content and of its refusal."""

    content: list[TokenLogprob] | None = None
    refusal: list[TokenLogprob] | None = None
