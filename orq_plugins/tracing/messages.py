"""What was said, in the shape that the conventions give messages.

Of every message only texts and tool calls are taken; of other parts, their kind. Data URIs and long
base64 inside of texts are replaced by type, length and digest. Format: the JSON schemas
``gen-ai-input-messages`` and ``gen-ai-output-messages`` beside the conventions.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from orq_core import to_dict
from orq_core._json import dumps, is_list, is_object, loads
from orq_plugins.logging.content import without_data

if TYPE_CHECKING:
    from orq_core import ChatCompletion
    from orq_core.models import ChatCompletionRequest

KEPT = 100_000
"""Characters that are kept of the texts of a request, and of an answer."""

_TEXTS = ("text", "refusal", "reasoning", "thinking")
_FINISH = {"tool_calls": "tool_call", "function_call": "tool_call"}


def input_messages(request: ChatCompletionRequest) -> str:
    """Return the request's messages as JSON."""
    messages: Any = to_dict(request).get("messages") or []
    left = _Left()
    return dumps([_message(each, left) for each in messages if is_object(each)]).decode()


def output_messages(completion: ChatCompletion) -> str:
    """Return a message for each choice, as JSON."""
    left = _Left()
    messages: list[dict[str, Any]] = []
    for choice in completion.choices:
        message = {"role": "assistant", **to_dict(choice.message)}
        reason = choice.finish_reason or "error"
        messages.append({**_message(message, left), "finish_reason": _FINISH.get(reason, reason)})
    return dumps(messages).decode()


class _Left:
    """How many characters may still be kept."""

    def __init__(self) -> None:
        self.characters = KEPT

    def cut(self, text: str) -> str:
        shown: str = without_data(text)
        kept = shown[: self.characters]
        self.characters -= len(kept)
        return kept if len(kept) == len(shown) else kept + "…"


def _message(message: dict[str, Any], left: _Left) -> dict[str, Any]:
    role = message.get("role")
    parts: list[dict[str, Any]] = []
    for name in ("reasoning_content", "reasoning"):
        if isinstance(message.get(name), str):
            parts.append({"type": "reasoning", "content": left.cut(message[name])})
            break
    content = message.get("content")
    if role in {"tool", "function"}:
        answered: dict[str, Any] = {"type": "tool_call_response", "id": message.get("tool_call_id")}
        parts.append({**answered, "response": _values(content, left)})
    else:
        parts += _parts(content, left)
    if isinstance(message.get("refusal"), str):
        parts.append({"type": "text", "content": left.cut(message["refusal"])})
    calls = message.get("tool_calls")
    parts += [_call(call, left) for call in calls if is_object(call)] if is_list(calls) else []
    return {"role": role if isinstance(role, str) else "", "parts": parts}


def _parts(content: Any, left: _Left) -> list[dict[str, Any]]:
    texts = [{"type": "text", "text": content}] if isinstance(content, str) else content
    parts = [_part(part, left) for part in texts] if is_list(texts) else []
    return [part for part in parts if part.get("content") != ""]


def _part(part: Any, left: _Left) -> dict[str, Any]:
    if not is_object(part):
        return {"type": "text", "content": left.cut(str(part))}
    kind = part.get("type")
    for name in _TEXTS:
        if isinstance(part.get(name), str):
            is_reasoning = name in {"reasoning", "thinking"}
            return {
                "type": "reasoning" if is_reasoning else "text",
                "content": left.cut(part[name]),
            }
    return {"type": kind if isinstance(kind, str) else "unknown"}


def _call(call: dict[str, Any], left: _Left) -> dict[str, Any]:
    function = call.get("function")
    called = function if is_object(function) else {}
    arguments = called.get("arguments")
    if isinstance(arguments, str):
        # Models write arguments that are no JSON.
        with suppress(ValueError):
            arguments = loads(arguments)
    return {
        "type": "tool_call",
        "id": call.get("id"),
        "name": str(called.get("name", "")),
        "arguments": _values(arguments, left),
    }


def _values(value: Any, left: _Left) -> Any:
    if is_list(value):
        return [_values(each, left) for each in value]
    if is_object(value):
        return {name: _values(each, left) for name, each in value.items()}
    return left.cut(value) if isinstance(value, str) else value
