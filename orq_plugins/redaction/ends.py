"""Which chunks say that a choice has ended, and whether it has."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orq_core.models import ChatCompletionChunk

if TYPE_CHECKING:
    from orq_core.call import Item
    from orq_core.models import ChunkChoice

_SAID = (
    "content",
    "refusal",
    "reasoning",
    "reasoning_content",
    "reasoning_details",
    "tool_calls",
    "function_call",
    "audio",
)


class Ends:
    """The choices of an answer that have ended, unless what says so means nothing.

    Some servers say with every chunk why the choice has ended.
    """

    def __init__(self) -> None:
        """Begin without any."""
        self._ended: set[int | str] = set()
        self._mean_nothing = False

    def look_ahead(self, item: Item, following: Item) -> None:
        """See whether a choice that an item ends goes on in the one that follows."""
        both = [each for each in (item, following) if isinstance(each, ChatCompletionChunk)]
        ended = [choice.index for choice in both[0].choices if choice.finish_reason]
        goes_on = (each for each in both[-1].choices if each.index in ended)
        self._mean_nothing = len(both) > 1 and any(map(says_anything, goes_on))

    def take(self, index: int | str, choice: ChunkChoice) -> bool:
        """Tell whether a choice ends with this piece of it."""
        if index in self._ended and says_anything(choice):
            self._mean_nothing = True
        if choice.finish_reason:
            self._ended.add(index)
        return bool(choice.finish_reason) and not self._mean_nothing


def says_anything(choice: ChunkChoice) -> bool:
    """Tell whether a piece of a choice has any text."""
    delta = choice.delta
    return any(getattr(delta, name) for name in _SAID) or bool(choice.extra.get("message"))


def begins(item: Item) -> bool:
    """Tell whether an answer has begun with an item, once those before it said nothing."""
    return not isinstance(item, ChatCompletionChunk) or any(map(says_anything, item.choices))


def ends_at_once(item: Item) -> bool:
    """Tell whether an item says that a choice has ended, and has text of that choice."""
    return isinstance(item, ChatCompletionChunk) and any(
        choice.finish_reason and says_anything(choice) for choice in item.choices
    )
