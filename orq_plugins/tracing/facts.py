"""The facts of a request."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from orq_core.models import UNSET
from orq_plugins.tracing.semconv import OPERATION

if TYPE_CHECKING:
    from orq_core import Call
    from orq_core.models import ChatCompletionRequest
    from orq_plugins.tracing.semconv import Value

    Found = dict[str, Value | None]

_PORTS = {"http": 80, "https": 443}
_NUMBERS = ("temperature", "top_p", "top_k", "frequency_penalty", "presence_penalty")


def model_of(request: ChatCompletionRequest) -> str | None:
    """Return the model asked for; None where the server chooses it."""
    return _text(request.extra.get("model", request.model))


def where(call: Call, request: ChatCompletionRequest, provider: str) -> Found:
    """Return what every span and metric of a call says."""
    url = urlsplit(call.url)
    return {
        "operation": OPERATION,
        "provider": provider,
        "model": model_of(request),
        "address": url.hostname,
        "port": url.port or _PORTS.get(url.scheme),
    }


def asked(call: Call, request: ChatCompletionRequest) -> Found:
    """Return the settings of a request; nothing of what is said in it."""
    thread = None if request.thread is UNSET else request.thread
    limit = _number(request.max_completion_tokens)
    choices = _number(request.n)
    seed = _number(request.seed)
    return {
        "stream": True if call.stream else None,
        "conversation": _text(thread.id) if thread else None,
        "output_type": _output_type(request),
        "choices": None if choices is None or choices == 1 else int(choices),
        "seed": None if seed is None else int(seed),
        "max_tokens": _number(request.max_tokens) if limit is None else limit,
        **{name: _float(getattr(request, name)) for name in _NUMBERS},
    }


def plain_url(url: str) -> str:
    """Return a URL without query and fragment, which may hold what is private."""
    return urlsplit(url)._replace(query="", fragment="").geturl()


def _output_type(request: ChatCompletionRequest) -> str | None:
    modalities = None if request.modalities is UNSET else request.modalities
    if modalities and "audio" in modalities:
        return "speech"
    wanted = None if request.response_format is UNSET else request.response_format
    kind = wanted.type if wanted else UNSET
    if kind in {"json_object", "json_schema"}:
        return "json"
    return "text" if kind == "text" else None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _number(value: object) -> int | float | None:
    """Return a number that was given; bodies are checked for types, but extra fields are not."""
    return value if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def _float(value: object) -> float | None:
    number = _number(value)
    return None if number is None else float(number)
