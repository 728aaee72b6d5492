"""Chunks that differ from an earlier one in their content alone, as nearly all of a stream do.

To compare one takes a fraction of the time of reading all of it (``python -m
tests.benchmarks.decoding``).
"""

from __future__ import annotations

from functools import cache, partial
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from attrs import fields

from orq_core.models._generated import comparer, copier
from orq_core.models.base import kind_of
from orq_core.models.chunk import (
    ChatCompletionChunk,
    ChunkChoice,
    Delta,
    FunctionCallDelta,
)

if TYPE_CHECKING:
    from collections.abc import Callable

PATH = (
    (ChatCompletionChunk, "choices", True),
    (ChunkChoice, "delta", False),
    (Delta, "content", False),
)
_copy, _compare = copier(*PATH), comparer(*PATH)
_SCALARS = {str, int, float, bool, type(None)}


class Alike:
    """The chunk that the next ones are compared with.

    ``content`` returns the content of a chunk that has nothing else of its own, None for others;
    ``make`` makes one.
    """

    def __init__(self, chunk: ChatCompletionChunk) -> None:
        """Compare with a chunk of one choice that `is_plain`."""
        choice = chunk.choices[0]
        # Copies, because whoever has the chunk may change it.
        own = _copy(chunk, choice, choice.delta, "")
        models = own, own.choices[0], own.choices[0].delta
        # As partials they cost no calls of their own.
        self.content: Callable[[object], str | None] = partial(_compare, *models)
        self.make: Callable[[str], ChatCompletionChunk] = partial(_copy, *models)


@cache
def values_of(kind: Any, but: frozenset[str]) -> Callable[[Any], tuple[Any, ...]]:
    """Make the function that returns what is in a model's fields, but for some."""
    return attrgetter(*(each.name for each in fields(kind) if each.name not in but | {"_given"}))


def is_plain(chunk: ChatCompletionChunk) -> bool:
    """Tell whether a chunk has one choice, and holds nothing but values that can't be changed."""
    if kind_of(chunk) is not ChatCompletionChunk or len(chunk.choices) != 1:
        return False
    choice = chunk.choices[0]
    delta = choice.delta
    models: list[tuple[Any, str]] = [(chunk, "choices"), (choice, "delta")]
    models.append((delta, "tool_calls"))
    for call in delta.tool_calls or ():
        models += [(call, "function"), (call.function or FunctionCallDelta(), "")]
    for model, copied in models:
        kind: Any = kind_of(model)
        values = values_of(kind, frozenset({copied, "extra"}))(model)
        if {*map(type, (*values, *model.extra.values()))} - _SCALARS:
            return False
    return True
