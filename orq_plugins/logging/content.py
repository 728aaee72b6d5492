"""What may be shown of what was said."""

from __future__ import annotations

import hashlib
import json
import re
from typing import TYPE_CHECKING, Any, Literal

from orq_core import to_dict
from orq_core._json import is_list, is_object

if TYPE_CHECKING:
    from orq_core import Call
    from orq_core.models import ChatCompletionRequest
    from orq_plugins.logging.observation import Observation

Content = Literal["off", "shape", "redacted", "full"]
CONTENTS = ("off", "shape", "redacted", "full")

_DATA = re.compile(r"data:([\w.+/-]*)[^,\s]*,(.*)", re.DOTALL)
# Within a text, as Markdown has images.
_EMBEDDED = re.compile(
    r"(?<!\w)data:(?:([\w.+-]+/[\w.+-]+)(?:;[\w.+=-]+)*|(?:;[\w.+=-]+)+),([^\s\"'<>()\[\]]*)"
)
_BASE64 = re.compile(r"[A-Za-z0-9+/_=-]{256,}")


def shown(
    content: Content, call: Call, request: ChatCompletionRequest, seen: Observation
) -> dict[str, Any]:
    """Return the fields ``request_content`` and ``answer_content``, as JSON data; none if off.

    "redacted" shows what is said only where `Redaction` enforces on this very call.
    """
    if content == "off":
        return {}
    redacted = call.info.notes.get("redaction", {}).get("mode") == "enforce"
    messages: list[Any] = to_dict(request).get("messages") or []
    if content == "shape" or (content == "redacted" and not redacted):
        return {
            "request_content": [shape(message) for message in messages],
            "answer_content": {"length": seen.characters},
        }
    return {
        "request_content": without_data(messages),
        "answer_content": without_data("".join(seen.text)),
    }


def shape(message: Any) -> dict[str, Any]:
    """Return a message's role, and the kind and length of what is in it."""
    if not is_object(message):
        return {"kind": type(message).__name__}
    content = message.get("content")
    parts = content if is_list(content) else [] if content is None else [content]
    calls = message.get("tool_calls")
    return {
        "role": message.get("role"),
        "parts": [_part(part) for part in parts],
        "tool_calls": len(calls) if is_list(calls) else 0,
    }


def _part(part: Any) -> dict[str, Any]:
    if is_object(part):
        return {"kind": part.get("type"), "length": len(json.dumps(part))}
    return {"kind": "text", "length": len(str(part))}


def without_data(value: Any) -> Any:
    """Return JSON data with every data URI and long base64 replaced by type, size and digest."""
    if is_list(value):
        return [without_data(each) for each in value]
    if is_object(value):
        return {name: without_data(each) for name, each in value.items()}
    if not isinstance(value, str):
        return value
    uri = _DATA.fullmatch(value)
    if uri is not None:
        return _digest(uri[1] or "data", uri[2])
    value = _EMBEDDED.sub(lambda found: _digest(found[1] or "data", found[2]), value)
    return _BASE64.sub(lambda found: _digest("base64", found[0]), value)


def _digest(kind: str, data: str) -> str:
    digest = hashlib.sha256(data.encode("utf-8", "surrogatepass")).hexdigest()[:12]
    return f"<{kind}, {len(data)} characters, sha256 {digest}>"
