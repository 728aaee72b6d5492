"""The request on its way out: every place in it that holds a person's words."""

from __future__ import annotations

import json
import re
from functools import cache
from typing import TYPE_CHECKING, Any

from attrs import evolve

from orq_core._json import is_list, is_object
from orq_core.models import ChatCompletionRequest, make_converter, to_dict
from orq_plugins.redaction.escapes import Unescaping, find
from orq_plugins.redaction.prefilter import prefilter
from orq_plugins.redaction.rewriting import ContentBlockedError
from orq_plugins.redaction.window import JsonWindow, introduction, joined

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from orq_plugins.redaction.matcher import Matcher
    from orq_plugins.redaction.settings import MediaPolicy, Settings
    from orq_plugins.redaction.window import Rewrite

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
# The router's own names of parts, and those of other servers that speak its protocol.
_MEDIA = {
    "image_url": "IMAGE",
    "image": "IMAGE",
    "input_image": "IMAGE",
    "input_audio": "AUDIO",
    "audio": "AUDIO",
    "file": "FILE",
    "input_file": "FILE",
    "document": "FILE",
}
_RESULTS = frozenset({"content", "text"})  # where a tool's result stands
_INPUTS = frozenset({"arguments", "input"})  # data, in which no name is the protocol's own
_FILE_NAMES = ("filename", "title")
_GAP = re.compile(r'"\s*:\s*"')
_DIGITS = 7  # a number with fewer is no card and no phone


class RequestRewriter:
    """Rewrites messages, variables and metadata; everything else is sent as it was given."""

    def __init__(self, matcher: Matcher, rewrite: Rewrite, settings: Settings) -> None:
        """Rewrite texts by ``rewrite``, parts that are no text by the settings."""
        self._matcher = matcher
        self._is_clear = prefilter(matcher)
        self._rewrite = rewrite
        self._audit = settings.mode == "audit"
        self._policies: Mapping[str, MediaPolicy] = {
            "IMAGE": settings.images,
            "AUDIO": settings.audio,
            "FILE": settings.files,
        }

    def __call__(self, request: ChatCompletionRequest) -> ChatCompletionRequest:
        """Return the request to send; the one given stays as it is."""
        body = to_dict(request)  # what `extra_body` said has taken its place in it
        places: dict[str, Callable[[Any], Any]] = {
            "messages": self._messages,
            "variables": self._values,
            "metadata": self._values,
            "prediction": self._values,
            "orq": self._older,
        }
        changed = {name: rewrite(body[name]) for name, rewrite in places.items() if name in body}
        known = [name for name in changed if hasattr(request, name)]
        extra = {name: changed.pop(name, value) for name, value in request.extra.items()}
        # A field that is replaced is not sent, but other plugins may look at it: it ends up empty.
        prepared = _structured({"messages": [], **changed})
        return evolve(request, **{name: getattr(prepared, name) for name in known}, extra=extra)

    def _older(self, orq: Any) -> Any:
        """Rewrite the values in the container that older routers take them in."""
        if not is_object(orq):
            return self._values(orq)
        rewritten = dict(orq)
        if "inputs" in orq:
            rewritten["inputs"] = self._values(orq["inputs"])
        prompt = orq.get("prompt")
        if is_object(prompt) and "variables" in prompt:
            rewritten["prompt"] = {**prompt, "variables": self._values(prompt["variables"])}
        return rewritten

    def _messages(self, messages: Any) -> Any:
        if not is_list(messages):
            return self._values(messages)
        return [self._message(each) if is_object(each) else self._values(each) for each in messages]

    def _message(self, message: dict[str, Any]) -> dict[str, Any]:
        is_tool = str(message.get("role")) in {"tool", "function"}
        return {name: self._field(name, value, is_tool) for name, value in message.items()}

    def _field(self, name: str, value: Any, is_tool: bool = False) -> Any:
        if name in _OPAQUE:
            return value
        if isinstance(value, str):
            is_json = name == "arguments" or (is_tool and name in _RESULTS and _is_json(value))
            return self._json(value) if is_json else self._text(value)
        if name in _INPUTS:
            return self._values(value)
        if name == "content" and (is_list(value) or is_object(value)):
            parts = [self._part(part, is_tool) for part in (value if is_list(value) else [value])]
            return parts if is_list(value) else parts[0]
        if is_list(value):
            return [self._field(name, each) for each in value]
        inner = value.items() if is_object(value) else ()
        return {key: self._field(key, each) for key, each in inner} if inner else value

    def _part(self, part: Any, is_tool: bool) -> Any:
        if not is_object(part):
            return self._values(part)
        label = _MEDIA.get(str(part.get("type")))
        if label is None:
            return {name: self._field(name, value, is_tool) for name, value in part.items()}
        policy = "allow" if self._audit else self._policies[label]
        if policy == "block":
            raise ContentBlockedError(f"the request holds {label}, which is blocked", entity=label)
        stripped = {"type": "text", "text": f"[{label}]"}
        if policy == "strip":
            return stripped
        return self._named(part) if policy == "allow" else (policy(part) or stripped)

    def _named(self, part: dict[str, Any]) -> dict[str, Any]:
        """Rewrite the name of a file; what is in it can't be looked into."""
        names = {name: self._values(part[name]) for name in _FILE_NAMES if name in part}
        file = part.get("file")
        return {**part, **names, **({"file": self._named(file)} if is_object(file) else {})}

    def _values(self, value: Any, name: str = "") -> Any:
        """Rewrite every string in JSON data, and numbers long enough to be someone's."""
        if isinstance(value, str):
            return self._text(value, introduction(name))
        if is_list(value):
            return [self._values(each) for each in value]
        if is_object(value):
            return {name: self._values(each, name) for name, each in value.items()}
        if isinstance(value, int) and not isinstance(value, bool):
            written = str(value)
            rewritten = self._text(written) if len(written) >= _DIGITS else written
            return value if rewritten == written else rewritten
        return value

    def _text(self, text: str, introduced: str = "") -> str:
        whole = introduced + text
        written: list[str] = []
        at = len(introduced)
        for start, end, entity, value in find(self._matcher, whole, at):
            if end > at:
                # What was found may begin before the text.
                within = value if start >= at else whole[at:end]
                written += (whole[at:start], self._rewrite(entity, within))
                at = end
        return "".join([*written, whole[at:]])

    def _json(self, text: str) -> str:
        # An escape may hide what is looked for, and so may spaces between a name and its value.
        if "\\" not in text and self._is_clear(_GAP.sub('": "', text)):
            return text
        window = JsonWindow(lambda: Unescaping(self._matcher), self._rewrite)
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
