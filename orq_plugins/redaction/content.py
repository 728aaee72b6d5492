"""Chunks that have content and nothing else to be looked at: nearly all of them."""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING

from attrs import fields

from orq_core.models import Delta
from orq_core.models._generated import copier

if TYPE_CHECKING:
    from orq_core.models import ChunkChoice

_OTHERS = tuple(
    each.name
    for each in fields(Delta)
    if each.name not in {"content", "role", "name", "extra", "_given"}
)
_others = attrgetter(*_OTHERS)
_NOTHING = (None,) * len(_OTHERS)

with_content = copier((Delta, "content", False))


def says_no_more(choice: ChunkChoice) -> bool:
    """Tell whether a choice has nothing beside its content that a model may have written."""
    return choice.logprobs is None and _others(choice.delta) == _NOTHING
