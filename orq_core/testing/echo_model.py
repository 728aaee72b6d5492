"""The model of the local router: it says the last user message again, word by word."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from orq_core._json import is_list, is_object
from orq_core.models import text_of
from orq_core.testing.payloads import DONE, chunk
from orq_core.testing.replies import Reply, reply, stream

if TYPE_CHECKING:
    from orq_core.testing.received import Received

_NO_MESSAGES = {
    "message": "messages: a list is required",
    "type": "invalid_request_error",
    "code": "invalid_request_body",
    "param": "messages",
}


def echo(received: Received) -> Reply:
    """Answer a request with its own last user message; honours n, stream and include_usage."""
    body = received.json
    messages = body.get("messages") if is_object(body) else None
    if not is_object(body) or not is_list(messages):
        return reply({"error": _NO_MESSAGES}, status=400)
    words = _words(messages)
    asked = body.get("n")
    count = asked if isinstance(asked, int) and asked > 0 else 1
    usage = {
        "prompt_tokens": len(words),
        "completion_tokens": len(words) * count,
        "total_tokens": len(words) * (1 + count),
    }
    model = body.get("model")
    if body.get("stream"):
        events: list[Any] = []
        for index in range(count):
            events.append({**chunk("", index=index, role="assistant"), "model": model})
            events += [{**chunk(word, index=index), "model": model} for word in words]
            events.append({**chunk(finish_reason="stop", index=index), "model": model})
        options = body.get("stream_options")
        if is_object(options) and options.get("include_usage"):
            events.append({**chunk(), "model": model, "choices": [], "usage": usage})
        return stream(*events, DONE)
    message = {"role": "assistant", "content": "".join(words)}
    return reply(
        {
            "id": "chatcmpl-fake",
            "object": "chat.completion",
            "created": 1700000000,
            "model": model,
            "choices": [
                {"index": index, "message": message, "finish_reason": "stop"}
                for index in range(count)
            ],
            "usage": usage,
        },
    )


def _words(messages: list[Any]) -> list[str]:
    said = [each for each in messages if is_object(each) and each.get("role") == "user"]
    return re.findall(r"\s*\S+|\s+", text_of(said[-1].get("content")) if said else "")
