"""The seed SDK's models by the names its generator gave them; each is one of this library's.

Requests may be made of these, of dicts, or of both; a name ending in ``TypedDict`` is a dict.
"""

from __future__ import annotations

from typing import Any

from orq_core import models as ours
from orq_core.compat.enums import (
    CreateAcceptEnum,
    Detail,
    MessagesRole,
    MessagesType,
    ResponseBodyFinishReason,
    ResponseBodyRole,
    ResponseBodyType,
    RouterChatCompletions2Detail,
    RouterChatCompletions2RouterChatCompletionsRequestRequestBodyMessages4Type,
    RouterChatCompletions2RouterChatCompletionsRequestRequestBodyMessagesType,
    RouterChatCompletions2RouterChatCompletionsRequestRequestBodyType,
    RouterChatCompletions2RouterChatCompletionsRequestType,
    RouterChatCompletions2RouterChatCompletionsType,
    RouterChatCompletions2Type,
    RouterChatCompletionsMessagesRole,
    RouterChatCompletionsMessagesRouterChatCompletionsRequestRole,
    RouterChatCompletionsMessagesRouterChatCompletionsRole,
    RouterChatCompletionsResponseBodyFinishReason,
    RouterChatCompletionsResponseBodyRole,
    RouterChatCompletionsResponseBodyType,
    RouterChatCompletionsRouterChatCompletionsType,
    RouterChatCompletionsType,
    TwoDetail,
)
from orq_core.compat.errors import SDKError
from orq_core.streams import AsyncStream, Stream


class Parameters(dict[str, Any]):
    """The JSON Schema of a tool's arguments: ``type``, ``properties``, ``required`` and more."""

    def __getattr__(self, name: str) -> Any:
        """Read the seed's three fields as attributes; one that was not given is None."""
        if name in {"type", "properties", "required"}:
            return self.get(name)
        raise AttributeError(name)


RouterChatCompletionsRequestBody = ours.ChatCompletionRequest
Messages1 = ours.SystemMessage
Messages2 = ours.UserMessage
Messages3 = ours.AssistantMessage
Four = ours.ToolMessage
MessagesFunction = ours.CalledFunction
MessagesToolCalls = ours.CalledTool
RouterChatCompletionsFunction = ours.Function
Tools = ours.Tool

RouterChatCompletions21 = ours.TextPart
RouterChatCompletions2RouterChatCompletions1 = ours.TextPart
RouterChatCompletions2RouterChatCompletionsRequest1 = ours.TextPart
RouterChatCompletions22 = ours.ImagePart
RouterChatCompletions2RouterChatCompletions2 = ours.ImagePart
RouterChatCompletions2RouterChatCompletionsRequest2 = ours.ImagePart
RouterChatCompletions2ImageURL = ours.ImageUrl
RouterChatCompletions2RouterChatCompletionsImageURL = ours.ImageUrl
RouterChatCompletions2RouterChatCompletionsRequestImageURL = ours.ImageUrl

ResponseBody1 = ours.ChatCompletion
ResponseBodyChoices = ours.Choice
ResponseBodyMessage = ours.Message
ResponseBodyToolCalls = ours.ToolCall
ResponseBodyFunction = ours.FunctionCall
ResponseBodyUsage = ours.Usage
Logprobs = ours.Logprobs
ResponseBodyContent = ours.TokenLogprob
Refusal = ours.TokenLogprob
TopLogprobs = ours.TopLogprob
ResponseBodyTopLogprobs = ours.TopLogprob

ResponseBody2 = ours.ChatCompletionChunk
RouterChatCompletionsRouterChatCompletionsResponseBody = ours.ChatCompletionChunk
RouterChatCompletionsResponseBodyChoices = ours.ChunkChoice
Delta = ours.Delta
RouterChatCompletionsResponseBodyToolCalls = ours.ToolCallDelta
RouterChatCompletionsResponseBodyFunction = ours.FunctionCallDelta
RouterChatCompletionsResponseBodyUsage = ours.Usage
ResponseBodyLogprobs = ours.Logprobs
RouterChatCompletionsResponseBodyContent = ours.TokenLogprob
ResponseBodyRefusal = ours.TokenLogprob
RouterChatCompletionsResponseBodyTopLogprobs = ours.TopLogprob
RouterChatCompletionsResponseBodyRouterChatCompletionsTopLogprobs = ours.TopLogprob

RouterChatCompletionsContent2 = ours.TextPart | ours.ImagePart
RouterChatCompletionsContentRouterChatCompletions2 = RouterChatCompletionsContent2
RouterChatCompletionsContentRouterChatCompletionsRequest2 = RouterChatCompletionsContent2
MessagesContent = str | list[RouterChatCompletionsContent2]
RouterChatCompletionsMessagesContent = MessagesContent
RouterChatCompletionsMessagesRouterChatCompletionsRequestContent = MessagesContent
RouterChatCompletionsMessagesRouterChatCompletionsContent = str | list[Any]
RouterChatCompletionsMessages = (
    ours.SystemMessage | ours.UserMessage | ours.ToolMessage | ours.AssistantMessage
)
RouterChatCompletionsResponseBody = ours.ChatCompletion | ours.ChatCompletionChunk
RouterChatCompletionsResponse = ours.ChatCompletion | Stream | AsyncStream

__all__ = [
    "CreateAcceptEnum",
    "Delta",
    "Detail",
    "Four",
    "Logprobs",
    "Messages1",
    "Messages2",
    "Messages3",
    "MessagesContent",
    "MessagesFunction",
    "MessagesRole",
    "MessagesToolCalls",
    "MessagesType",
    "Parameters",
    "Refusal",
    "ResponseBody1",
    "ResponseBody2",
    "ResponseBodyChoices",
    "ResponseBodyContent",
    "ResponseBodyFinishReason",
    "ResponseBodyFunction",
    "ResponseBodyLogprobs",
    "ResponseBodyMessage",
    "ResponseBodyRefusal",
    "ResponseBodyRole",
    "ResponseBodyToolCalls",
    "ResponseBodyTopLogprobs",
    "ResponseBodyType",
    "ResponseBodyUsage",
    "RouterChatCompletions2Detail",
    "RouterChatCompletions2ImageURL",
    "RouterChatCompletions2RouterChatCompletions1",
    "RouterChatCompletions2RouterChatCompletions2",
    "RouterChatCompletions2RouterChatCompletionsImageURL",
    "RouterChatCompletions2RouterChatCompletionsRequest1",
    "RouterChatCompletions2RouterChatCompletionsRequest2",
    "RouterChatCompletions2RouterChatCompletionsRequestImageURL",
    "RouterChatCompletions2RouterChatCompletionsRequestRequestBodyMessages4Type",
    "RouterChatCompletions2RouterChatCompletionsRequestRequestBodyMessagesType",
    "RouterChatCompletions2RouterChatCompletionsRequestRequestBodyType",
    "RouterChatCompletions2RouterChatCompletionsRequestType",
    "RouterChatCompletions2RouterChatCompletionsType",
    "RouterChatCompletions2Type",
    "RouterChatCompletions21",
    "RouterChatCompletions22",
    "RouterChatCompletionsContent2",
    "RouterChatCompletionsContentRouterChatCompletions2",
    "RouterChatCompletionsContentRouterChatCompletionsRequest2",
    "RouterChatCompletionsFunction",
    "RouterChatCompletionsMessages",
    "RouterChatCompletionsMessagesContent",
    "RouterChatCompletionsMessagesRole",
    "RouterChatCompletionsMessagesRouterChatCompletionsContent",
    "RouterChatCompletionsMessagesRouterChatCompletionsRequestContent",
    "RouterChatCompletionsMessagesRouterChatCompletionsRequestRole",
    "RouterChatCompletionsMessagesRouterChatCompletionsRole",
    "RouterChatCompletionsRequestBody",
    "RouterChatCompletionsResponse",
    "RouterChatCompletionsResponseBody",
    "RouterChatCompletionsResponseBodyChoices",
    "RouterChatCompletionsResponseBodyContent",
    "RouterChatCompletionsResponseBodyFinishReason",
    "RouterChatCompletionsResponseBodyFunction",
    "RouterChatCompletionsResponseBodyRole",
    "RouterChatCompletionsResponseBodyRouterChatCompletionsTopLogprobs",
    "RouterChatCompletionsResponseBodyToolCalls",
    "RouterChatCompletionsResponseBodyTopLogprobs",
    "RouterChatCompletionsResponseBodyType",
    "RouterChatCompletionsResponseBodyUsage",
    "RouterChatCompletionsRouterChatCompletionsResponseBody",
    "RouterChatCompletionsRouterChatCompletionsType",
    "RouterChatCompletionsType",
    "SDKError",
    "Tools",
    "TopLogprobs",
    "TwoDetail",
]


def __getattr__(name: str) -> Any:
    """Take the ``…TypedDict`` twin of every model for what it is: a dict."""
    if name.endswith("TypedDict") and name.removesuffix("TypedDict") in __all__:
        return dict[str, Any]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
