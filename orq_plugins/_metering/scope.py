"""Whose limit it is: calls of one scope share it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from orq_core import ConfigurationError

if TYPE_CHECKING:
    from orq_core import Call
    from orq_core.models import ChatCompletionRequest

ScopeOf = Callable[["Call", "ChatCompletionRequest"], str]
Scope = str | ScopeOf
"""``"all"``, ``"model"``, ``"key"``, ``"metadata.<name>"``, or a function that names the scope."""

_METADATA = "metadata."
# It only has to be the same in each process: keys are long and random, so no guess finds one.
_KEYED_BY = b"orq-core limits"
_SHOWN = 16


def scope_of(scope: Scope) -> ScopeOf:
    """Return the function that names a call's scope; raises ConfigurationError."""
    if callable(scope):
        return _named_by(scope)
    if isinstance(scope, str):  # pyright: ignore[reportUnnecessaryIsInstance] - callers without a type checker pass other things, which are named in the error
        if scope.startswith(_METADATA) and len(scope) > len(_METADATA):
            return _metadata(scope[len(_METADATA) :])
        if scope in _KNOWN:
            return _KNOWN[scope]
    raise ConfigurationError(
        f"scope: expected one of {', '.join(_KNOWN)}, metadata.<name>, or a function of the call "
        "and its request",
    )


def digest(scope: str) -> str:
    """Return what a scope is called in a store: names of any length and kind come out alike."""
    return hashlib.sha256(scope.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def model_of(request: ChatCompletionRequest) -> str:
    """Return the model that is asked, empty when the request names none."""
    model: Any = request.extra.get("model", request.model)
    return model if isinstance(model, str) else ""


def _named_by(function: ScopeOf) -> ScopeOf:
    def named(call: Call, request: ChatCompletionRequest) -> str:
        given: Any = function(call, request)
        if not isinstance(given, str):
            raise ConfigurationError(
                f"scope: the function returned {type(given).__name__}, expected a string"
            )
        return given

    return named


def _metadata(name: str) -> ScopeOf:
    def tagged(call: Call, request: ChatCompletionRequest) -> str:
        del call
        metadata: Any = request.extra.get("metadata", request.metadata)
        value = metadata.get(name) if isinstance(metadata, dict) else None  # pyright: ignore[reportUnknownMemberType,reportUnknownVariableType] - metadata may be whatever JSON may hold
        return f"{name}={value if isinstance(value, str) else ''}"

    return tagged


def _all(call: Call, request: ChatCompletionRequest) -> str:
    del call, request
    return "all"


def _model(call: Call, request: ChatCompletionRequest) -> str:
    del call
    return f"model={model_of(request)}"


def _key(call: Call, request: ChatCompletionRequest) -> str:
    del request
    return f"key={call.tenant(_KEYED_BY)[:_SHOWN]}"


_KNOWN: dict[str, ScopeOf] = {"all": _all, "model": _model, "key": _key}
