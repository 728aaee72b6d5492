"""What the router does around the model: repeats, fallbacks, caching, guards, attribution."""

from __future__ import annotations

from typing import Any

from attrs import define

from orq_core.models.base import UNSET, Request, Unset


@define(kw_only=True, repr=False)
class Guardrail(Request):
    """An evaluator to run on ``execute_on``, the ``input`` or the ``output``."""

    id: str | Unset = UNSET
    execute_on: str | Unset = UNSET


@define(kw_only=True, repr=False)
class RouterPlugin(Request):
    """A plugin of the router: ``pii_redaction``, ``response_healing`` or ``trace_scrubbing``.

    ``mask`` belongs to the last; all other fields to the first, with thresholds from 0 to 1.
    """

    id: str | Unset = UNSET
    language: str | Unset = UNSET
    regions: list[str] | Unset = UNSET
    entities: list[str] | Unset = UNSET
    entity_thresholds: dict[str, float] | Unset = UNSET
    threshold: float | Unset = UNSET
    on_failure: str | Unset = UNSET
    mask: list[str] | Unset = UNSET


@define(kw_only=True, repr=False)
class Fallback(Request):
    """A model to ask when the one before it fails."""

    model: str | Unset = UNSET


@define(kw_only=True, repr=False)
class RouterRetry(Request):
    """Repeats made by the router: ``count`` from 1 to 5, on the statuses ``on_codes``."""

    count: float | Unset = UNSET
    on_codes: list[float] | Unset = UNSET


@define(kw_only=True, repr=False)
class RouterCache(Request):
    """Caching by the router; ``ttl`` in seconds."""

    type: str | Unset = "exact_match"
    ttl: float | Unset = UNSET


@define(kw_only=True, repr=False)
class WeightedModel(Request):
    """A model and its share, from 0.001 to 1."""

    model: str | Unset = UNSET
    weight: float | Unset = UNSET


@define(kw_only=True, repr=False)
class LoadBalancer(Request):
    """Models to share the calls; ``type`` is ``weight_based``."""

    type: str | Unset = UNSET
    models: list[WeightedModel] | Unset = UNSET


@define(kw_only=True, repr=False)
class RouterTimeout(Request):
    """The router's limit for each of its attempts: ``call_timeout`` in milliseconds."""

    call_timeout: float | Unset = UNSET


@define(kw_only=True, repr=False)
class Identity(Request):
    """On whose behalf the call is made."""

    id: str | Unset = UNSET
    display_name: str | Unset | None = UNSET
    email: str | Unset | None = UNSET
    metadata: list[dict[str, Any]] | dict[str, Any] | Unset | None = UNSET
    logo_url: str | Unset | None = UNSET
    tags: list[str] | Unset | None = UNSET


@define(kw_only=True, repr=False)
class Thread(Request):
    """The conversation the call belongs to."""

    id: str | Unset = UNSET
    tags: list[str] | Unset | None = UNSET


@define(kw_only=True, repr=False)
class PromptReference(Request):
    """A prompt kept by the router."""

    id: str | Unset = UNSET
    version: str | Unset = UNSET


@define(kw_only=True, repr=False)
class PromptInput(Request):
    """A value for a prompt's variable."""

    key: str | Unset = UNSET
    value: Any = UNSET
    is_pii: bool | Unset = UNSET


@define(kw_only=True, repr=False)
class SearchOptions(Request):
    """What a search in a knowledge base gives beside the text."""

    include_vectors: bool | Unset = UNSET
    include_metadata: bool | Unset = UNSET
    include_scores: bool | Unset = UNSET


@define(kw_only=True, repr=False)
class RerankConfig(Request):
    """How what was found is ranked anew."""

    model: str | Unset = UNSET
    threshold: float | Unset = UNSET
    top_k: int | Unset = UNSET


@define(kw_only=True, repr=False)
class AgenticRagConfig(Request):
    """The model that decides what to search for."""

    model: str | Unset = UNSET


@define(kw_only=True, repr=False)
class KnowledgeBase(Request):
    """A knowledge base to search; ``filter_by`` maps fields to conditions on them."""

    knowledge_id: str | Unset = UNSET
    query: str | Unset = UNSET
    top_k: int | Unset | None = UNSET
    threshold: float | Unset | None = UNSET
    search_type: str | Unset | None = UNSET
    filter_by: dict[str, Any] | Unset = UNSET
    search_options: SearchOptions | Unset = UNSET
    rerank_config: RerankConfig | Unset = UNSET
    agentic_rag_config: AgenticRagConfig | Unset = UNSET


@define(kw_only=True, repr=False)
class OrqOptions(Request):
    """The container of older routers for what stands at the top of a request today."""

    name: str | Unset = UNSET
    retry: RouterRetry | Unset = UNSET
    fallbacks: list[Fallback] | Unset = UNSET
    fallback_on_codes: list[int] | Unset = UNSET
    prompt: PromptReference | Unset = UNSET
    identity: Identity | Unset = UNSET
    contact: Identity | Unset = UNSET
    thread: Thread | Unset = UNSET
    tags: list[str] | Unset = UNSET
    inputs: list[PromptInput] | dict[str, Any] | Unset = UNSET
    cache: RouterCache | Unset = UNSET
    knowledge_bases: list[KnowledgeBase] | Unset = UNSET
    load_balancer: LoadBalancer | list[Any] | Unset = UNSET
    timeout: RouterTimeout | Unset = UNSET
