"""How many tokens a request will take, before anybody has counted them."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from orq_core import to_dict
from orq_core._json import is_list, is_object

if TYPE_CHECKING:
    from orq_core.models import ChatCompletionRequest

Estimate = Callable[["ChatCompletionRequest"], int]
"""A function of the request that returns the tokens of its prompt, from a tokeniser say."""

BYTES_PER_TOKEN = 4  # what providers give as a rule of thumb for English; others come out near
_MESSAGE = 4  # tokens around each message
_ATTACHED = 1000  # tokens of an image, a recording or a file, whose bytes say nothing
_BINARY = frozenset({"image_url", "input_audio", "file"})
_COUNTED = ("messages", "tools", "response_format")
_ANSWER = 512  # tokens of an answer whose length nobody limits


def prompt_tokens(request: ChatCompletionRequest) -> int:
    """Estimate the prompt: a token for four bytes of text, a flat number for what is attached."""
    body = to_dict(request)
    return math.ceil(sum(_size(body.get(name)) for name in _COUNTED) / BYTES_PER_TOKEN)


def expected_tokens(request: ChatCompletionRequest, answer: int = _ANSWER) -> int:
    """Return the most that the answers may have, or ``answer`` each when there is no limit."""
    limits = (_whole(request, name) for name in ("max_completion_tokens", "max_tokens"))
    most = next((limit for limit in limits if limit is not None), answer)
    return most * max(1, _whole(request, "n") or 1)


def _whole(request: ChatCompletionRequest, name: str) -> int | None:
    value: Any = request.extra.get(name, getattr(request, name))
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _size(value: Any) -> int:
    """Count bytes of text."""
    if isinstance(value, str):
        return len(value) if value.isascii() else len(value.encode("utf-8", "surrogatepass"))
    if is_object(value):
        if not _BINARY.isdisjoint(value):
            return _ATTACHED * BYTES_PER_TOKEN
        around = _MESSAGE * BYTES_PER_TOKEN if "role" in value else 0
        return around + sum(_size(each) for each in value.values())
    if is_list(value):
        return sum(_size(each) for each in value)
    return 0
