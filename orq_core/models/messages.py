"""The messages of a conversation."""

from __future__ import annotations

from typing import Any

from attrs import define, field

from orq_core.models.base import UNSET, Request, Unset
from orq_core.models.parts import CacheControl, Part


@define(kw_only=True, repr=False)
class SystemMessage(Request):
    """Instructions that stand above the user's."""

    role: str | Unset = "system"
    content: str | list[Part] | Unset = UNSET
    name: str | Unset | None = UNSET


@define(kw_only=True, repr=False)
class DeveloperMessage(Request):
    """What newer models take in place of a system message."""

    role: str | Unset = "developer"
    content: str | list[Part] | Unset = UNSET
    name: str | Unset | None = UNSET


@define(kw_only=True, repr=False)
class UserMessage(Request):
    """What the user says or shows."""

    role: str | Unset = "user"
    content: str | list[Part] | Unset = UNSET
    name: str | Unset | None = UNSET


@define(kw_only=True, repr=False)
class CalledFunction(Request):
    """The function the model called; ``arguments`` is JSON in a string."""

    name: str | Unset = UNSET
    arguments: str | Unset = UNSET


@define(kw_only=True, repr=False)
class CalledTool(Request):
    """A tool call of an earlier answer, sent back."""

    type: str | Unset = "function"
    id: str | Unset | None = UNSET
    function: CalledFunction | Unset = UNSET
    thought_signature: str | Unset | None = UNSET
    extra_content: dict[str, Any] | Unset | None = UNSET


@define(kw_only=True, repr=False)
class SpokenAudio(Request):
    """The ``id`` of sound the model has made."""

    id: str | Unset = UNSET


@define(kw_only=True, repr=False)
class AssistantMessage(Request):
    """What the model said; a `Message` of an answer may stand in its place."""

    role: str | Unset = "assistant"
    content: str | list[Part] | Unset | None = UNSET
    refusal: str | Unset | None = UNSET
    name: str | Unset | None = UNSET
    reasoning_content: str | Unset | None = UNSET
    audio: SpokenAudio | Unset | None = UNSET
    tool_calls: list[CalledTool] | Unset | None = UNSET


@define(kw_only=True, repr=False)
class ToolMessage(Request):
    """What a tool gave; ``tool_call_id`` names the call it answers."""

    role: str | Unset = "tool"
    content: str | list[Part] | Unset = UNSET
    tool_call_id: str | Unset | None = UNSET
    cache_control: CacheControl | Unset | None = UNSET


@define(kw_only=True, repr=False)
class OtherMessage(Request):
    """A message of a role this library doesn't know; its other fields are in ``extra``."""

    role: str | Unset = field(default=UNSET, metadata={"required": True})


RequestMessage = (
    SystemMessage | DeveloperMessage | UserMessage | AssistantMessage | ToolMessage | OtherMessage
)
