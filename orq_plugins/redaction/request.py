"""The request on its way out: every place in it that holds a person's words."""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING, Any

from attrs import evolve

from orq_core._json import is_list, is_object
from orq_core.models import UNSET, ChatCompletionRequest, make_converter, to_dict
from orq_plugins.redaction.rewriting import ContentBlockedError
from orq_plugins.redaction.window import JsonWindow, NewScanner, Rewrite, TextWindow, joined

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orq_plugins.redaction.settings import MediaPolicy, Settings

_OPAQUE = frozenset(
    {
        "role",
        "type",
        "id",
        "tool_call_id",
        "cache_control",
        "data",
        "encrypted_content",
        "signature",
        "reasoning_signature",
        "thought_signature",
    }
)
_DIGITS = 7  # a number with fewer is no card and no phone


class RequestRewriter:
    """Rewrites messages, variables and metadata; everything else is sent as it was given."""

    def __init__(self, scanner: NewScanner, rewrite: Rewrite, settings: Settings) -> None:
        """Rewrite texts by ``rewrite``, parts that are no text by the settings."""
        self._scanner = scanner
        self._rewrite = rewrite
        self._audit = settings.mode == "audit"
        self._media: Mapping[str, tuple[str, MediaPolicy]] = {
            "image_url": ("IMAGE", settings.images),
            "input_audio": ("AUDIO", settings.audio),
            "audio": ("AUDIO", settings.audio),
            "file": ("FILE", settings.files),
        }

    def __call__(self, request: ChatCompletionRequest) -> ChatCompletionRequest:
        """Return the request to send; the one given stays as it is."""
        body = to_dict(request)
        changed: dict[str, Any] = {}
        if is_list(body.get("messages")):
            changed["messages"] = [self._message(message) for message in body["messages"]]
        for name in ("variables", "metadata"):
            if is_object(body.get(name)):
                changed[name] = self._values(body[name])
        prediction = request.extra.get("prediction")
        extra = dict(request.extra)
        if prediction is not None:
            extra["prediction"] = self._values(prediction)
        prepared = _structured({"messages": [], **changed})
        fields = {name: getattr(prepared, name) for name in changed}
        return evolve(request, **fields, **self._older(request), extra=extra)

    def _older(self, request: ChatCompletionRequest) -> dict[str, Any]:
        """Rewrite the values in the container that older routers take them in."""
        if request.orq is UNSET or request.orq is None:
            return {}
        orq = to_dict(request.orq)
        if "inputs" in orq:
            orq["inputs"] = self._values(orq["inputs"])
        if "variables" in orq.get("prompt", ()):
            orq["prompt"]["variables"] = self._values(orq["prompt"]["variables"])
        return {"orq": _structured({"messages": [], "orq": orq}).orq}

    def _message(self, message: dict[str, Any]) -> dict[str, Any]:
        is_tool = message.get("role") in {"tool", "function"}
        return {name: self._field(name, value, is_tool) for name, value in message.items()}

    def _field(self, name: str, value: Any, is_tool: bool = False) -> Any:
        if name in _OPAQUE:
            return value
        if name == "content" and is_list(value):
            return [self._part(part) for part in value]
        if is_list(value):
            return [self._field(name, each) for each in value]
        if is_object(value):
            return {key: self._field(key, each) for key, each in value.items()}
        if not isinstance(value, str):
            return value
        is_json = name == "arguments" or (name == "content" and is_tool and _is_json(value))
        return self._json(value) if is_json else self._text(value)

    def _part(self, part: Any) -> Any:
        if not is_object(part):
            return self._values(part)
        label, policy = self._media.get(part.get("type", ""), ("", "allow"))
        if not label or self._audit:
            return {name: self._field(name, value) for name, value in part.items()}
        if policy == "block":
            raise ContentBlockedError(f"the request holds {label}, which is blocked", entity=label)
        stripped = {"type": "text", "text": f"[{label}]"}
        if policy == "strip":
            return stripped
        return part if policy == "allow" else (policy(part) or stripped)

    def _values(self, value: Any) -> Any:
        """Rewrite every string in JSON data, and numbers long enough to be someone's."""
        if isinstance(value, str):
            return self._text(value)
        if is_list(value):
            return [self._values(each) for each in value]
        if is_object(value):
            return {name: self._values(each) for name, each in value.items()}
        if isinstance(value, int) and not isinstance(value, bool):
            written = str(value)
            rewritten = self._text(written) if len(written) >= _DIGITS else written
            return value if rewritten == written else rewritten
        return value

    def _text(self, text: str) -> str:
        window = TextWindow(self._scanner, self._rewrite)
        return joined(window.feed(text) + window.flush())

    def _json(self, text: str) -> str:
        window = JsonWindow(self._scanner, self._rewrite)
        return joined(window.feed(text) + window.flush())


@cache
def _converter() -> Any:
    return make_converter()


def _structured(body: dict[str, Any]) -> ChatCompletionRequest:
    structured: ChatCompletionRequest = _converter().structure(body, ChatCompletionRequest)
    return structured


def _is_json(text: str) -> bool:
    if text.lstrip()[:1] not in {"{", "["}:
        return False
    try:
        json.loads(text)
    except ValueError:
        return False
    return True
