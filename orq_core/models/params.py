"""Dictionaries in the shape of messages, parts and tools, for editors and type checkers.

Each may stand wherever its model may. Keys that are not listed here are sent as well, but a
checker complains of them: a plain dict takes any.
"""

from __future__ import annotations

import sys
from typing import Any, Literal, TypedDict

if sys.version_info >= (3, 11):
    from typing import NotRequired, Required
else:
    from typing_extensions import NotRequired, Required


class CacheControlParam(TypedDict, total=False):
    """`CacheControl` as a dictionary."""

    type: Required[Literal["ephemeral"]]
    ttl: Literal["5m", "1h"]


class TextPartParam(TypedDict):
    """`TextPart` as a dictionary."""

    type: Literal["text"]
    text: str
    cache_control: NotRequired[CacheControlParam]


class ImageUrlParam(TypedDict):
    """`ImageUrl` as a dictionary."""

    url: str
    detail: NotRequired[Literal["low", "high", "auto"]]


class ImagePartParam(TypedDict):
    """`ImagePart` as a dictionary."""

    type: Literal["image_url"]
    image_url: ImageUrlParam
    cache_control: NotRequired[CacheControlParam]


class InputAudioParam(TypedDict):
    """`InputAudio` as a dictionary."""

    data: str
    format: Literal["mp3", "wav"]


class InputAudioPartParam(TypedDict):
    """`InputAudioPart` as a dictionary."""

    type: Literal["input_audio"]
    input_audio: InputAudioParam


class FileDataParam(TypedDict, total=False):
    """`FileData` as a dictionary: exactly one of the first three."""

    file_data: str
    uri: str
    file_id: str
    mimeType: str
    filename: str


class FilePartParam(TypedDict):
    """`FilePart` as a dictionary."""

    type: Literal["file"]
    file: FileDataParam
    cache_control: NotRequired[CacheControlParam]


class RefusalPartParam(TypedDict):
    """`RefusalPart` as a dictionary."""

    type: Literal["refusal"]
    refusal: str


class ReasoningPartParam(TypedDict):
    """`ReasoningPart` as a dictionary."""

    type: Literal["reasoning"]
    reasoning: str
    signature: str


class RedactedReasoningPartParam(TypedDict):
    """`RedactedReasoningPart` as a dictionary."""

    type: Literal["redacted_reasoning"]
    data: str


UserPartParam = TextPartParam | ImagePartParam | InputAudioPartParam | FilePartParam
AssistantPartParam = (
    TextPartParam | RefusalPartParam | ReasoningPartParam | RedactedReasoningPartParam
)


class SystemMessageParam(TypedDict):
    """`SystemMessage` or `DeveloperMessage` as a dictionary."""

    role: Literal["system", "developer"]
    content: str | list[TextPartParam]
    name: NotRequired[str]


class UserMessageParam(TypedDict):
    """`UserMessage` as a dictionary."""

    role: Literal["user"]
    content: str | list[UserPartParam]
    name: NotRequired[str]


class CalledFunctionParam(TypedDict):
    """`CalledFunction` as a dictionary."""

    name: str
    arguments: str


class CalledToolParam(TypedDict):
    """`CalledTool` as a dictionary."""

    id: str
    type: Literal["function"]
    function: CalledFunctionParam
    thought_signature: NotRequired[str]
    extra_content: NotRequired[dict[str, Any]]


class SpokenAudioParam(TypedDict):
    """`SpokenAudio` as a dictionary."""

    id: str


class AssistantMessageParam(TypedDict, total=False):
    """`AssistantMessage` as a dictionary."""

    role: Required[Literal["assistant"]]
    content: str | list[AssistantPartParam] | None
    refusal: str | None
    name: str
    reasoning_content: str
    audio: SpokenAudioParam | None
    tool_calls: list[CalledToolParam]


class ToolMessageParam(TypedDict):
    """`ToolMessage` as a dictionary."""

    role: Literal["tool"]
    content: str | list[TextPartParam]
    tool_call_id: str | None
    cache_control: NotRequired[CacheControlParam]


ChatCompletionMessageParam = (
    SystemMessageParam | UserMessageParam | AssistantMessageParam | ToolMessageParam
)


class FunctionParam(TypedDict, total=False):
    """`Function` as a dictionary."""

    name: Required[str]
    description: str
    strict: bool | None
    parameters: dict[str, Any]


class ToolParam(TypedDict):
    """`Tool` as a dictionary."""

    type: NotRequired[Literal["function"]]
    function: FunctionParam
