"""A whole answer as the chunks of a stream."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orq_core._accumulate.folding import given_of, stand_in
from orq_core.models import (
    ChatCompletionChunk,
    ChunkChoice,
    Delta,
    FunctionCallDelta,
    ToolCallDelta,
)

if TYPE_CHECKING:
    from orq_core.models import ChatCompletion, Choice, FunctionCall, Message, ToolCall

_CHUNK = "chat.completion.chunk"


def chunks_of(completion: ChatCompletion) -> list[ChatCompletionChunk]:
    """Return chunks that add up to a completion: all of its choices, then its usage if it has any.

    Tool calls are numbered where they have no index, since readers of streams go by it.
    """
    chunk = _chunk(completion, given_of(completion))
    chunk.choices = [_choice(choice) for choice in completion.choices]
    chunk.extra = dict(completion.extra)
    if completion.usage is None:
        return [chunk]
    # Without choices the one chunk looks as chunks with a usage do.
    last = _chunk(completion, frozenset({"choices"})) if completion.choices else chunk
    last.usage = completion.usage
    return [chunk, last] if completion.choices else [chunk]


def _chunk(completion: ChatCompletion, given: frozenset[str]) -> ChatCompletionChunk:
    chunk = ChatCompletionChunk(
        id=completion.id,
        object=_CHUNK,
        created=completion.created,
        model=completion.model,
        system_fingerprint=completion.system_fingerprint,
        service_tier=completion.service_tier,
        _given=given,
    )
    return stand_in(chunk, "object") if completion.object is None else chunk


def _choice(choice: Choice) -> ChunkChoice:
    return ChunkChoice(
        index=choice.index,
        finish_reason=choice.finish_reason,
        delta=_delta(choice.message),
        logprobs=choice.logprobs,
        extra=dict(choice.extra),
        _given=frozenset("delta" if name == "message" else name for name in given_of(choice)),
    )


def _delta(message: Message) -> Delta:
    call, calls = message.function_call, message.tool_calls
    return Delta(
        role=message.role,
        content=message.content,
        refusal=message.refusal,
        tool_calls=None if calls is None else [_call(each, n) for n, each in enumerate(calls)],
        function_call=None if call is None else _function(call),
        reasoning=message.reasoning,
        reasoning_content=message.reasoning_content,
        reasoning_signature=message.reasoning_signature,
        reasoning_details=message.reasoning_details,
        redacted_reasoning=message.redacted_reasoning,
        audio=message.audio,
        annotations=message.annotations,
        name=message.name,
        extra=dict(message.extra),
        _given=given_of(message),
    )


def _call(call: ToolCall, position: int) -> ToolCallDelta:
    delta = ToolCallDelta(
        index=position if call.index is None else call.index,
        id=call.id,
        type=call.type,
        function=None if call.function is None else _function(call.function),
        thought_signature=call.thought_signature,
        extra_content=call.extra_content,
        extra=dict(call.extra),
        _given=given_of(call),
    )
    return stand_in(delta, "index") if call.index is None else delta


def _function(call: FunctionCall) -> FunctionCallDelta:
    return FunctionCallDelta(
        name=call.name,
        arguments=call.arguments,
        extra=dict(call.extra),
        _given=given_of(call),
    )
