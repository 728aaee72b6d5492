"""The arguments of ``create``, for type checkers and editors.

`RequestFields` is the seed's form (``request={...}``) with the client-side options; `BodyFields`
adds the router's body fields as keywords. Fields the client does not know go in ``extra_body``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypedDict, Union

if TYPE_CHECKING:
    from orq_core.call import CallOptions, Retries
    from orq_core.models import ChatCompletionRequest
    from orq_core.models.base import Request
    from orq_core.models.completion import Message

# An instance of a request model (or of another library's), or a plain mapping or TypedDict.
Structured = Union["Request", Mapping[str, Any]]
MessageLike = Union["Request", "Message", Mapping[str, Any]]


class Options(TypedDict, total=False):
    """Client-side settings of one call; see `CallOptions`.

    ``timeout_ms`` is a promise in milliseconds for the whole call. ``extra_body`` holds body
    fields the client does not know; one it knows is replaced.
    """

    retries: Retries
    server_url: str | None
    timeout_ms: float | None
    options: CallOptions | None
    http_headers: Mapping[str, str] | None
    accept_header_override: str | None
    extra_body: Mapping[str, Any] | None
    plugin_options: Mapping[str, Mapping[str, Any]] | None


class RequestFields(Options, total=False):
    """The seed's form: the whole body in one object."""

    request: Mapping[str, Any] | ChatCompletionRequest | None
    stream: bool | None


class BodyFields(Options, total=False):
    """Today's form: the router's body fields as keywords.

    ``timeout``, ``retry``, ``cache`` and ``plugins`` are the router's own, carried out there.
    """

    model: str
    messages: Iterable[MessageLike]
    metadata: Mapping[str, str] | None
    name: str | None
    max_tokens: int | None
    max_completion_tokens: int | None
    temperature: float | None
    top_p: float | None
    top_k: float | None
    frequency_penalty: float | None
    presence_penalty: float | None
    n: int | None
    seed: float | None
    stop: str | Sequence[str] | None
    logprobs: bool | None
    top_logprobs: int | None
    stream_options: Structured | None
    response_format: Structured | None
    reasoning_effort: str | None
    thinking: Structured | None
    verbosity: str | None
    tools: Iterable[Structured] | None
    tool_choice: str | Structured | None
    parallel_tool_calls: bool | None
    modalities: Sequence[str] | None
    audio: Structured | None
    guardrails: Iterable[Structured] | None
    plugins: Iterable[Structured] | None
    fallbacks: Iterable[Structured] | None
    fallback_on_codes: Sequence[int] | None
    retry: Structured | None
    cache: Structured | None
    load_balancer: Structured | None
    timeout: Structured | None
    variables: Mapping[str, Any] | None
    cache_control: Structured | None
    prompt_cache_key: str | None
    orq: Structured | None
    identity: Structured | None
    thread: Structured | None
