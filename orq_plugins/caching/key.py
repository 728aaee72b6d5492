"""Which requests are the same: one digest for all that must have the same answer."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from typing import TYPE_CHECKING, Any

from orq_core import to_dict
from orq_core._json import is_list, is_object

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orq_core.models import ChatCompletionRequest

VERSION = b"orq-1"

_NOT_IN_THE_ANSWER = frozenset(
    {
        "stream",
        "stream_options",
        "metadata",
        "name",
        "thread",
        "cache",
        "cache_control",
        "prompt_cache_key",
        "retry",
        "timeout",
    },
)
_MARK = "\0"
_LONG = 512  # characters from which base64 is worth a digest
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]+={0,2}")


def key_of(
    secret: bytes,
    request: ChatCompletionRequest,
    *,
    url: str,
    tenant: str,
    namespace: str,
    redaction: str = "",
) -> str:
    """Return the key of a request's answer: HMAC-SHA256 in hexadecimal.

    It covers the endpoint, who asks, and everything in the body that may change the answer, fields
    unknown to this library included. ``redaction``: what decides which values are taken out of an
    answer before it comes here.
    """
    digest = hmac.new(secret, VERSION, hashlib.sha256)
    for part in (url, tenant, namespace, redaction, canonical(to_dict(request))):
        data = part.encode("utf-8", "surrogatepass")
        digest.update(len(data).to_bytes(8, "big"))
        digest.update(data)
    return digest.hexdigest()


def canonical(body: Mapping[str, Any]) -> str:
    """Write a request's body so that equal requests are equal texts.

    Keys are sorted, a number is its value (1 is 1.0), a content that is one text part is its text,
    and data in base64 is its digest.
    """
    kept = {name: value for name, value in body.items() if name not in _NOT_IN_THE_ANSWER}
    orq = kept.get("orq")
    if is_object(orq):
        kept["orq"] = {name: value for name, value in orq.items() if name not in _NOT_IN_THE_ANSWER}
    if is_list(kept.get("messages")):
        kept["messages"] = [_message(message) for message in kept["messages"]]
    return json.dumps(_plain(kept), sort_keys=True, separators=(",", ":"))


def _message(message: Any) -> Any:
    if not is_object(message):
        return message
    content = message.get("content")
    if isinstance(content, str):
        content = [{"type": "text", "text": content}]
    if is_list(content):
        content = [_without_cache_control(part) for part in content]
    kept = _without_cache_control(message)
    return kept if content is None else {**kept, "content": content}


def _without_cache_control(value: Any) -> Any:
    if not is_object(value):
        return value
    return {name: each for name, each in value.items() if name != "cache_control"}


def _plain(value: Any) -> Any:
    if is_object(value):
        return {name: _plain(each) for name, each in value.items()}
    if is_list(value):
        return [_plain(each) for each in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, str) and len(value) >= _LONG and _is_data(value):
        digest = hashlib.sha256(value.encode("utf-8", "surrogatepass")).hexdigest()
        return f"{_MARK}sha256:{digest}"
    if isinstance(value, str) and value.startswith(_MARK):
        # No text may pass for the digest of another.
        return _MARK + value
    return value


def _is_data(text: str) -> bool:
    return text.startswith("data:") or _BASE64.fullmatch(text) is not None
