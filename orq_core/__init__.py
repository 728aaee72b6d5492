"""The Python client for Orq's chat-completions router, blocking and asyncio.

    from orq_core import Orq

    with Orq() as client:
        completion = client.router.chat.completions.create(
            model="openai/gpt-4o-mini",
            messages=[{"role": "user", "content": "hi"}],
        )
        print(completion.text)

Names are loaded when they are first used: importing this package loads no HTTP library.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from orq_core._runtime import Runtime
    from orq_core.call import (
        Attempt,
        Call,
        CallInfo,
        CallOptions,
        Detached,
        Item,
        Items,
        Layer,
        Proceed,
    )
    from orq_core.client import AsyncOrq, Orq
    from orq_core.errors import (
        APIConnectionError,
        APIStatusError,
        APIStreamError,
        APITimeoutError,
        AuthenticationError,
        BadRequestError,
        ConfigurationError,
        ConflictError,
        ConnectError,
        InternalServerError,
        NotFoundError,
        OrqError,
        PermissionDeniedError,
        PluginError,
        RateLimitError,
        RequestError,
        ResponseDecodeError,
        StreamError,
        StreamInterruptedError,
        StreamTruncatedError,
        SuspendedError,
        UnprocessableEntityError,
    )
    from orq_core.explain import Explanation
    from orq_core.hookspecs import hookimpl
    from orq_core.layers import Ending, observe, transform
    from orq_core.limits import Timeout
    from orq_core.models import (
        UNSET,
        ChatCompletion,
        ChatCompletionChunk,
        ChatCompletionRequest,
        to_dict,
    )
    from orq_core.retry import BackoffStrategy, RetryConfig, RetryPolicy
    from orq_core.streams import AsyncStream, Stream

_HOME = {
    "_runtime": ("Runtime",),
    "call": (
        "Attempt",
        "Call",
        "CallInfo",
        "CallOptions",
        "Detached",
        "Item",
        "Items",
        "Layer",
        "Proceed",
    ),
    "client": ("AsyncOrq", "Orq"),
    "errors": (
        "APIConnectionError",
        "APIStatusError",
        "APIStreamError",
        "APITimeoutError",
        "AuthenticationError",
        "BadRequestError",
        "ConfigurationError",
        "ConflictError",
        "ConnectError",
        "InternalServerError",
        "NotFoundError",
        "OrqError",
        "PermissionDeniedError",
        "PluginError",
        "RateLimitError",
        "RequestError",
        "ResponseDecodeError",
        "StreamError",
        "StreamInterruptedError",
        "StreamTruncatedError",
        "SuspendedError",
        "UnprocessableEntityError",
    ),
    "explain": ("Explanation",),
    "hookspecs": ("hookimpl",),
    "layers": ("Ending", "observe", "transform"),
    "limits": ("Timeout",),
    "models": (
        "UNSET",
        "ChatCompletion",
        "ChatCompletionChunk",
        "ChatCompletionRequest",
        "to_dict",
    ),
    "retry": ("BackoffStrategy", "RetryConfig", "RetryPolicy"),
    "streams": ("AsyncStream", "Stream"),
}
_MODULE_OF = {name: module for module, names in _HOME.items() for name in names}

__all__ = [
    "UNSET",
    "APIConnectionError",
    "APIStatusError",
    "APIStreamError",
    "APITimeoutError",
    "AsyncOrq",
    "AsyncStream",
    "Attempt",
    "AuthenticationError",
    "BackoffStrategy",
    "BadRequestError",
    "Call",
    "CallInfo",
    "CallOptions",
    "ChatCompletion",
    "ChatCompletionChunk",
    "ChatCompletionRequest",
    "ConfigurationError",
    "ConflictError",
    "ConnectError",
    "Detached",
    "Ending",
    "Explanation",
    "InternalServerError",
    "Item",
    "Items",
    "Layer",
    "NotFoundError",
    "Orq",
    "OrqError",
    "PermissionDeniedError",
    "PluginError",
    "Proceed",
    "RateLimitError",
    "RequestError",
    "ResponseDecodeError",
    "RetryConfig",
    "RetryPolicy",
    "Runtime",
    "Stream",
    "StreamError",
    "StreamInterruptedError",
    "StreamTruncatedError",
    "SuspendedError",
    "Timeout",
    "UnprocessableEntityError",
    "hookimpl",
    "observe",
    "to_dict",
    "transform",
]


def __getattr__(name: str) -> Any:
    """Load a public name's module at its first use (PEP 562)."""
    if name == "__version__":
        from importlib.metadata import version  # noqa: PLC0415 - importing it takes longer than importing all of this package, and few ask for the version

        return version("orq-core")
    module = _MODULE_OF.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{module}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """List the public names."""
    return sorted({*globals(), *__all__, "__version__"})
