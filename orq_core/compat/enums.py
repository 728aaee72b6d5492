"""The seed SDK's enumerations, by the names its generator gave them.

Their members are strings, and requests take them wherever a string stands.
"""

from __future__ import annotations

from enum import Enum


class RouterChatCompletionsMessagesRouterChatCompletionsRequestRole(str, Enum):
    """Who speaks."""

    TOOL = "tool"


class RouterChatCompletions2RouterChatCompletionsRequestRequestBodyMessages4Type(str, Enum):
    """What kind of thing it is."""

    IMAGE_URL = "image_url"


class RouterChatCompletions2Detail(str, Enum):
    """How closely an image is looked at."""

    LOW = "low"
    HIGH = "high"
    AUTO = "auto"


class RouterChatCompletions2RouterChatCompletionsRequestRequestBodyMessagesType(str, Enum):
    """What kind of thing it is."""

    TEXT = "text"


class RouterChatCompletionsMessagesRouterChatCompletionsRole(str, Enum):
    """Who speaks."""

    ASSISTANT = "assistant"


class MessagesType(str, Enum):
    """What kind of thing it is."""

    FUNCTION = "function"


class RouterChatCompletionsMessagesRole(str, Enum):
    """Who speaks."""

    USER = "user"


class RouterChatCompletions2RouterChatCompletionsRequestRequestBodyType(str, Enum):
    """What kind of thing it is."""

    IMAGE_URL = "image_url"


class TwoDetail(str, Enum):
    """How closely an image is looked at."""

    LOW = "low"
    HIGH = "high"
    AUTO = "auto"


class RouterChatCompletions2RouterChatCompletionsRequestType(str, Enum):
    """What kind of thing it is."""

    TEXT = "text"


class MessagesRole(str, Enum):
    """Who speaks."""

    SYSTEM = "system"


class RouterChatCompletions2RouterChatCompletionsType(str, Enum):
    """What kind of thing it is."""

    IMAGE_URL = "image_url"


class Detail(str, Enum):
    """How closely an image is looked at."""

    LOW = "low"
    HIGH = "high"
    AUTO = "auto"


class RouterChatCompletions2Type(str, Enum):
    """What kind of thing it is."""

    TEXT = "text"


class RouterChatCompletionsType(str, Enum):
    """What kind of thing it is."""

    FUNCTION = "function"


class RouterChatCompletionsRouterChatCompletionsType(str, Enum):
    """What kind of thing it is."""

    OBJECT = "object"


class ResponseBodyFinishReason(str, Enum):
    """Why an answer ended."""

    STOP = "stop"
    LENGTH = "length"
    CONTENT_FILTER = "content_filter"
    TOOL_CALLS = "tool_calls"


class RouterChatCompletionsResponseBodyType(str, Enum):
    """What kind of thing it is."""

    FUNCTION = "function"


class RouterChatCompletionsResponseBodyRole(str, Enum):
    """Who speaks."""

    SYSTEM = "system"
    ASSISTANT = "assistant"
    USER = "user"
    EXCEPTION = "exception"
    TOOL = "tool"
    PROMPT = "prompt"
    CORRECTION = "correction"
    EXPECTED_OUTPUT = "expected_output"


class RouterChatCompletionsResponseBodyFinishReason(str, Enum):
    """Why an answer ended."""

    STOP = "stop"
    LENGTH = "length"
    CONTENT_FILTER = "content_filter"
    TOOL_CALLS = "tool_calls"


class ResponseBodyType(str, Enum):
    """What kind of thing it is."""

    FUNCTION = "function"


class ResponseBodyRole(str, Enum):
    """Who speaks."""

    SYSTEM = "system"
    ASSISTANT = "assistant"
    USER = "user"
    EXCEPTION = "exception"
    TOOL = "tool"
    PROMPT = "prompt"
    CORRECTION = "correction"
    EXPECTED_OUTPUT = "expected_output"


class CreateAcceptEnum(str, Enum):
    """What ``accept_header_override`` may be."""

    APPLICATION_JSON = "application/json"
    TEXT_EVENT_STREAM = "text/event-stream"
