"""The body of a request."""

from __future__ import annotations

from typing import Any

from attrs import define, field

from orq_core.models.base import UNSET, Request, Unset
from orq_core.models.messages import RequestMessage
from orq_core.models.options import (
    Fallback,
    Guardrail,
    Identity,
    LoadBalancer,
    OrqOptions,
    RouterCache,
    RouterPlugin,
    RouterRetry,
    RouterTimeout,
    Thread,
)
from orq_core.models.parts import CacheControl
from orq_core.models.tools import (
    AudioOutput,
    ResponseFormat,
    StreamOptions,
    Thinking,
    Tool,
    ToolChoice,
)


@define(kw_only=True, repr=False)
class ChatCompletionRequest(Request):
    """What is asked of the router: ``model`` and ``messages``, and options.

    A server that is no router may take the model from elsewhere, so only keywords require it.
    Types are checked, ranges and names are left to the router, numbers keep their type. ``retry``,
    ``cache``, ``plugins`` and ``timeout`` are the router's; those of this client are arguments of
    ``create``.
    """

    model: str | Unset = UNSET
    messages: list[RequestMessage] | Unset = field(default=UNSET, metadata={"required": True})
    metadata: dict[str, str] | Unset | None = UNSET
    name: str | Unset = UNSET
    max_tokens: int | Unset | None = UNSET
    max_completion_tokens: int | Unset | None = UNSET
    temperature: float | Unset | None = UNSET
    top_p: float | Unset | None = UNSET
    top_k: float | Unset | None = UNSET
    frequency_penalty: float | Unset | None = UNSET
    presence_penalty: float | Unset | None = UNSET
    n: int | Unset | None = UNSET
    seed: float | Unset | None = UNSET
    stop: str | list[str] | Unset | None = UNSET
    logprobs: bool | Unset | None = UNSET
    top_logprobs: int | Unset | None = UNSET
    stream: bool | Unset | None = UNSET
    stream_options: StreamOptions | Unset | None = UNSET
    response_format: ResponseFormat | Unset | None = UNSET
    reasoning_effort: str | Unset | None = UNSET
    thinking: Thinking | Unset | None = UNSET
    verbosity: str | Unset | None = UNSET
    tools: list[Tool] | Unset | None = UNSET
    tool_choice: str | ToolChoice | Unset | None = UNSET
    parallel_tool_calls: bool | Unset | None = UNSET
    modalities: list[str] | Unset | None = UNSET
    audio: AudioOutput | Unset | None = UNSET
    guardrails: list[Guardrail] | Unset | None = UNSET
    plugins: list[RouterPlugin] | Unset | None = field(
        default=UNSET, metadata={"hint": "plugins of this client are given to the client"}
    )
    fallbacks: list[Fallback] | Unset | None = UNSET
    fallback_on_codes: list[int] | Unset | None = UNSET
    retry: RouterRetry | Unset | None = field(
        default=UNSET, metadata={"hint": "repeats by this client are set with retries="}
    )
    cache: RouterCache | Unset | None = UNSET
    load_balancer: LoadBalancer | Unset | None = UNSET
    timeout: RouterTimeout | Unset | None = field(
        default=UNSET, metadata={"hint": "this client's own limit is set with timeout_ms="}
    )
    variables: dict[str, Any] | Unset | None = UNSET
    cache_control: CacheControl | Unset | None = UNSET
    prompt_cache_key: str | Unset | None = UNSET
    orq: OrqOptions | Unset | None = UNSET
    identity: Identity | Unset | None = UNSET
    thread: Thread | Unset | None = UNSET
