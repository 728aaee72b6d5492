"""What the model may call, and the form of what it says."""

from __future__ import annotations

from typing import Any

from attrs import define

from orq_core.models.base import UNSET, Request, Unset


@define(kw_only=True, repr=False)
class Function(Request):
    """A function; ``parameters`` is a JSON Schema, sent whole, ``$defs`` included."""

    name: str | Unset = UNSET
    description: str | Unset | None = UNSET
    strict: bool | Unset | None = UNSET
    parameters: dict[str, Any] | Unset | None = UNSET


@define(kw_only=True, repr=False)
class Tool(Request):
    """A tool; one that is no function keeps its particulars in ``extra``."""

    type: str | Unset = "function"
    function: Function | Unset = UNSET


@define(kw_only=True, repr=False)
class FunctionName(Request):
    """A function by its name."""

    name: str | Unset = UNSET


@define(kw_only=True, repr=False)
class ToolChoice(Request):
    """The one tool that is to be called."""

    type: str | Unset = "function"
    function: FunctionName | Unset = UNSET


@define(kw_only=True, repr=False)
class JsonSchema(Request):
    """The JSON Schema of an answer; ``name`` has at most 64 of ``A-Za-z0-9_-``."""

    name: str | Unset = UNSET
    description: str | Unset | None = UNSET
    schema: Any = UNSET
    strict: bool | Unset | None = UNSET


@define(kw_only=True, repr=False)
class ResponseFormat(Request):
    """``type`` is ``text``, ``json_object``, or ``json_schema`` with the schema in the field."""

    type: str | Unset = UNSET
    json_schema: JsonSchema | Unset = UNSET


@define(kw_only=True, repr=False)
class Thinking(Request):
    """``type`` is ``disabled``, ``adaptive``, or ``enabled`` with a budget or a level."""

    type: str | Unset = UNSET
    budget_tokens: float | Unset | None = UNSET
    thinking_level: str | Unset | None = UNSET


@define(kw_only=True, repr=False)
class AudioOutput(Request):
    """The voice and format of spoken answers."""

    voice: str | Unset = UNSET
    format: str | Unset = UNSET


@define(kw_only=True, repr=False)
class StreamOptions(Request):
    """``include_usage`` asks for a last event with the token counts."""

    include_usage: bool | Unset = UNSET
