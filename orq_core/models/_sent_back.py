"""An answered message as one that may be sent, whatever shape it arrived in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from orq_core._json import dumps, is_list, is_object
from orq_core.models._answering import answer_dict

if TYPE_CHECKING:
    from orq_core.models.completion import Message, ToolCall

_NULLABLE = frozenset({"content", "refusal", "audio"})


def sent_back(message: Message) -> dict[str, Any]:
    """Write an answered message as one that may be sent.

    Nulls and an empty list of calls are left out where servers refuse them, and so are the places
    of calls in a stream and parts that say nothing. Calls of functions say that they are, and sound
    is named by its id. A content or arguments that should be text and are something else become
    their JSON text.
    """
    out = {k: v for k, v in answer_dict(message).items() if v is not None or k in _NULLABLE}
    out.setdefault("role", "assistant")
    if message.tool_calls:
        out["tool_calls"] = [_called(call) for call in message.tool_calls]
    elif is_list(out.get("tool_calls")):
        del out["tool_calls"]
    content = out.get("content")
    if is_list(content):
        out["content"] = _said(content) or None
    elif content is not None:
        out["content"] = _text(content)
    if message.audio is not None and message.audio.id:
        out["audio"] = {"id": message.audio.id}
    return out


def _said(parts: list[Any]) -> list[Any]:
    """Leave out nulls, and parts of text without a text."""
    objects = [{"type": "text", "text": part} if isinstance(part, str) else part for part in parts]
    known = [_without_nulls(part) if is_object(part) else part for part in objects]
    return [part for part in known if part is not None and part != {"type": "text"}]


def _called(call: ToolCall) -> dict[str, Any]:
    out = _without_nulls(answer_dict(call))
    out.pop("index", None)
    if call.function is not None:
        out.setdefault("type", "function")
        function = out["function"]
        out["function"] = _without_nulls(function)
        if "arguments" in function:
            # A function without parameters is called with null by some.
            arguments = function["arguments"]
            out["function"]["arguments"] = "{}" if arguments is None else _text(arguments)
    return out


def _without_nulls(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else dumps(value).decode()
