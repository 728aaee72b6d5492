"""What the facts of a call are named, by version of OpenTelemetry's semantic conventions.

The rest of the plugin speaks of facts; a new version of the conventions is a new table here.
Sources: ``docs/gen-ai`` and ``docs/http`` of the semantic conventions at the versions below. After
1.41.1 the conventions for generative AI moved to a repository that has not released any yet.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from attrs import define, evolve

from orq_core import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    Value = str | bool | int | float | Sequence[str]
    Facts = Mapping[str, Value | None]

VARIABLE = "OTEL_SEMCONV_STABILITY_OPT_IN"
NEWEST = "gen_ai_latest_experimental"
OPERATION = "chat"

_SECONDS = tuple(0.01 * 2**power for power in range(14))
_TOKENS = tuple(4**power for power in range(14))


@define(frozen=True)
class Metric:
    """A histogram, with the bucket boundaries that the conventions advise."""

    name: str
    unit: str
    description: str
    boundaries: tuple[float, ...]


@define(frozen=True)
class Semconv:
    """One version: the attribute of each fact, None for a fact it doesn't know, and metrics."""

    version: str
    names: Mapping[str, str | None]
    metrics: Mapping[str, Metric]

    @property
    def schema_url(self) -> str:
        """Where the version's schema is published; sent with all spans and metrics."""
        return f"https://opentelemetry.io/schemas/{self.version}"

    def attributes(self, facts: Facts) -> dict[str, Value]:
        """Return the attributes of the facts that are known and that this version has names for.

        Raises KeyError for a fact in no version.
        """
        attributes: dict[str, Value] = {}
        for fact, value in facts.items():
            name = self.names[fact]
            if name is not None and value is not None:
                attributes[name] = value
        return attributes

    def without(self, metric: str) -> Semconv:
        """Return the same with one metric less."""
        kept = {fact: each for fact, each in self.metrics.items() if fact != metric}
        return evolve(self, metrics=kept)


_HTTP: Mapping[str, str | None] = {
    "method": "http.request.method",
    "resends": "http.request.resend_count",
    "status": "http.response.status_code",
    "url": "url.full",
}
_V1_36: Mapping[str, str | None] = {
    **_HTTP,
    "operation": "gen_ai.operation.name",
    "provider": "gen_ai.system",
    "address": "server.address",
    "port": "server.port",
    "error": "error.type",
    "conversation": "gen_ai.conversation.id",
    "output_type": "gen_ai.output.type",
    "model": "gen_ai.request.model",
    "stream": None,
    "choices": "gen_ai.request.choice.count",
    "seed": "gen_ai.request.seed",
    "max_tokens": "gen_ai.request.max_tokens",
    "temperature": "gen_ai.request.temperature",
    "top_p": "gen_ai.request.top_p",
    "top_k": "gen_ai.request.top_k",
    "frequency_penalty": "gen_ai.request.frequency_penalty",
    "presence_penalty": "gen_ai.request.presence_penalty",
    "answer_id": "gen_ai.response.id",
    "answer_model": "gen_ai.response.model",
    "finish_reasons": "gen_ai.response.finish_reasons",
    "first_chunk": None,
    "input_tokens": "gen_ai.usage.input_tokens",
    "output_tokens": "gen_ai.usage.output_tokens",
    "reasoning_tokens": None,
    "cache_read_tokens": None,
    "cache_creation_tokens": None,
    "token_type": "gen_ai.token.type",
    "input_messages": None,
    "output_messages": None,
}
_V1_41: Mapping[str, str | None] = {
    **_V1_36,
    "provider": "gen_ai.provider.name",
    "stream": "gen_ai.request.stream",
    "first_chunk": "gen_ai.response.time_to_first_chunk",
    "reasoning_tokens": "gen_ai.usage.reasoning.output_tokens",
    "cache_read_tokens": "gen_ai.usage.cache_read.input_tokens",
    "cache_creation_tokens": "gen_ai.usage.cache_creation.input_tokens",
    "input_messages": "gen_ai.input.messages",
    "output_messages": "gen_ai.output.messages",
}
_METRICS_1_36: Mapping[str, Metric] = {
    "duration": Metric("gen_ai.client.operation.duration", "s", "How long a call takes.", _SECONDS),
    "tokens": Metric(
        "gen_ai.client.token.usage", "{token}", "Tokens of a call's input and output.", _TOKENS
    ),
}
_METRICS_1_41: Mapping[str, Metric] = {
    **_METRICS_1_36,
    "first_chunk": Metric(
        "gen_ai.client.operation.time_to_first_chunk",
        "s",
        "From the start of a streamed call to its first chunk.",
        _SECONDS,
    ),
    "chunk": Metric(
        "gen_ai.client.operation.time_per_output_chunk",
        "s",
        "From one chunk of a stream to the next.",
        _SECONDS,
    ),
}

VERSIONS: Mapping[str, Semconv] = {
    each.version: each
    for each in (
        Semconv("1.36.0", _V1_36, _METRICS_1_36),
        Semconv("1.41.1", _V1_41, _METRICS_1_41),
    )
}
"""The versions that can be chosen, oldest first."""

DEFAULT = "1.41.1"
"""What is emitted when nothing is chosen; it changes only with a major version."""


def chosen(version: str | None, environ: Mapping[str, str] = os.environ) -> Semconv:
    """Return the conventions of a version; None leaves the choice to the environment.

    ``gen_ai_latest_experimental`` in the list ``OTEL_SEMCONV_STABILITY_OPT_IN`` takes the newest
    known here, else `DEFAULT` is taken. Raises ConfigurationError for an unknown version.
    """
    if version is None:
        values = {value.strip() for value in environ.get(VARIABLE, "").split(",")}
        version = list(VERSIONS)[-1] if NEWEST in values else DEFAULT
    if version not in VERSIONS:
        raise ConfigurationError(f"semconv: expected one of {', '.join(VERSIONS)}")
    return VERSIONS[version]
