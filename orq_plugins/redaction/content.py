"""Chunks that have content and nothing else to be looked at: nearly all of them."""

from __future__ import annotations

from operator import attrgetter

from attrs import fields

from orq_core.models import ChatCompletionChunk, ChunkChoice, Delta
from orq_core.models._generated import copier

_OTHERS = tuple(
    each.name
    for each in fields(Delta)
    if each.name not in {"content", "role", "name", "extra", "_given"}
)
_others = attrgetter(*_OTHERS)
_NOTHING = (None,) * len(_OTHERS)

with_content = copier(
    (ChatCompletionChunk, "choices", True),
    (ChunkChoice, "delta", False),
    (Delta, "content", False),
)
"""Copies a chunk, its choice and its delta, with another content."""


def only_content(chunk: ChatCompletionChunk) -> str | None:
    """Return the content of a chunk that goes on and has nothing else a model may have written."""
    if len(chunk.choices) != 1:
        return None
    choice = chunk.choices[0]
    delta = choice.delta
    if choice.finish_reason or choice.logprobs is not None or _others(delta) != _NOTHING:
        return None
    if choice.extra and "message" in choice.extra:
        return None
    return delta.content if isinstance(delta.content, str) else None
