"""How many tokens a completion took."""

from __future__ import annotations

from attrs import define

from orq_core.models.base import Answer


@define(kw_only=True)
class PromptTokensDetails(Answer):
    """What the prompt's tokens were; cached ones are usually cheaper."""

    cached_tokens: int | None = None
    cache_creation_tokens: int | None = None
    audio_tokens: int | None = None


@define(kw_only=True)
class CompletionTokensDetails(Answer):
    """What the answer's tokens were."""

    reasoning_tokens: int | None = None
    accepted_prediction_tokens: int | None = None
    rejected_prediction_tokens: int | None = None
    audio_tokens: int | None = None


@define(kw_only=True)
class Usage(Answer):
    """Token counts; what a provider adds (cost, timings) is in ``extra``."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    total_tokens: int | None = None
    prompt_tokens_details: PromptTokensDetails | None = None
    completion_tokens_details: CompletionTokensDetails | None = None
