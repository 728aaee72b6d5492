"""One event of a streamed answer."""

from __future__ import annotations

from typing import Any

from attrs import define, field

from orq_core.models.base import Answer
from orq_core.models.completion import Audio, text_of
from orq_core.models.logprobs import Logprobs
from orq_core.models.usage import Usage


@define(kw_only=True)
class FunctionCallDelta(Answer):
    """A piece of a function call; the pieces of ``arguments`` are to be joined."""

    name: str | None = None
    arguments: str | None = None


@define(kw_only=True)
class ToolCallDelta(Answer):
    """A piece of a tool call; most providers name it by ``index`` and give ``id`` once."""

    index: int | None = None
    id: str | None = None
    type: str | None = None
    function: FunctionCallDelta | None = None
    thought_signature: str | None = None
    extra_content: dict[str, Any] | None = None


@define(kw_only=True)
class Delta(Answer):
    """What an event adds to a message; ``content`` as in `Message`, usually a string."""

    role: str | None = None
    content: str | None = None
    refusal: str | None = None
    tool_calls: list[ToolCallDelta] | None = None
    function_call: FunctionCallDelta | None = None
    reasoning: str | None = None
    reasoning_content: str | None = None
    reasoning_signature: str | None = None
    reasoning_details: list[dict[str, Any]] | None = None
    redacted_reasoning: str | None = None
    audio: Audio | None = None
    annotations: list[dict[str, Any]] | None = None
    name: str | None = None


@define(kw_only=True)
class ChunkChoice(Answer):
    """A piece of one choice; a ``message`` that came in place of ``delta`` is in ``extra``."""

    index: int | None = None
    finish_reason: str | None = None
    delta: Delta = field(factory=Delta)
    logprobs: Logprobs | None = None


@define(kw_only=True)
class ChatCompletionChunk(Answer):
    """One event of a streamed answer; the last one may carry only ``usage``."""

    id: str | None = None
    object: str | None = None
    created: int | None = None
    model: str | None = None
    choices: list[ChunkChoice] = field(factory=list[ChunkChoice])
    usage: Usage | None = None
    system_fingerprint: str | None = None
    service_tier: str | None = None
    _given: frozenset[str] = field(
        default=frozenset({"choices"}), alias="_given", repr=False, eq=False
    )

    @property
    def text(self) -> str:
        """The text this event adds to the first choice in it; empty if there is none."""
        return text_of(self.choices[0].delta.content) if self.choices else ""

    @property
    def data(self) -> ChatCompletionChunk:
        """The chunk itself: what code written for the official SDK's events looks for."""
        return self
