"""Which items bind: once one was passed on, the answer can't be begun anew."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orq_core import ChatCompletion

if TYPE_CHECKING:
    from orq_core.call import Item
    from orq_core.models import Message
    from orq_core.models.chunk import Delta

_SAID = (
    "content",
    "refusal",
    "tool_calls",
    "function_call",
    "reasoning",
    "reasoning_content",
    "reasoning_signature",
    "reasoning_details",
    "redacted_reasoning",
    "audio",
    "annotations",
)


def binds(item: Item) -> bool:
    """Tell whether an item says anything: a chunk of a role, an empty text or usage does not."""
    return isinstance(item, ChatCompletion) or any(
        choice.finish_reason or any(choice.extra.values()) or _says(choice.delta)
        for choice in item.choices
    )


def has_content(partial: ChatCompletion | None) -> bool:
    """Tell whether what had arrived of an answer says anything."""
    return partial is not None and any(_says(choice.message) for choice in partial.choices)


def _says(words: Message | Delta) -> bool:
    return any(getattr(words, name) for name in _SAID) or any(words.extra.values())
