"""The JSON and the events that a provider sends, made up."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

DONE = b"data: [DONE]\n\n"


def event(data: Mapping[str, Any], *, name: str | None = None, field: str = "data") -> bytes:
    """Write one server-sent event, named or not, in the field ``data`` or another."""
    line = f"{field}: {json.dumps(data)}\n\n"
    return (line if name is None else f"event: {name}\n{line}").encode()


def error_event(
    message: str = "the provider failed",
    *,
    name: str | None = None,
    field: str = "data",
    **details: Any,
) -> bytes:
    """Write an error as providers put it into a stream of status 200.

    ``details`` join the message: code, type, param. ``name="error"`` is one way of sending it,
    ``field="error"`` another.
    """
    return event({"error": {"message": message, **details}}, name=name, field=field)


def chunk(
    content: str | None = None,
    *,
    finish_reason: str | None = None,
    index: int = 0,
    **delta: Any,
) -> dict[str, Any]:
    """Make a chunk's JSON."""
    if content is not None:
        delta["content"] = content
    return {
        "id": "chatcmpl-fake",
        "object": "chat.completion.chunk",
        "created": 1700000000,
        "model": "fake/model",
        "choices": [{"index": index, "delta": delta, "finish_reason": finish_reason}],
    }


def completion(
    content: str | None, *, finish_reason: str = "stop", **message: Any
) -> dict[str, Any]:
    """Make a completion's JSON."""
    message = {"role": "assistant", "content": content, **message}
    return {
        "id": "chatcmpl-fake",
        "object": "chat.completion",
        "created": 1700000000,
        "model": "fake/model",
        "choices": [{"index": 0, "message": message, "finish_reason": finish_reason}],
        "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
    }
