"""The items of an answer on its way."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orq_plugins.caching.entry import pack, unpack
from orq_plugins.caching.policy import Completeness
from orq_plugins.caching.repeats import Repeats
from orq_plugins.caching.sharing import copied

if TYPE_CHECKING:
    from orq_core import Item


class Recording:
    """Keeps items as bytes, so that they can be stored if they fit into ``max_bytes``.

    An answer that doesn't fit, or holds what no entry can, is not stored and nobody new may follow
    it; those who follow already get all of it. ``is_anothers``: it came from the store, where it
    grows old from the time when it was put there.
    """

    def __init__(self, max_bytes: int, choices: int | None) -> None:
        """Begin empty; ``choices`` were asked for, None for an answer that nobody wants kept."""
        self._max_bytes = max_bytes
        self._choices = choices
        self._items: list[bytes | Item | None] = []
        self._originals: dict[int, Item] = {}
        self._completeness = Completeness()
        self._repeats = Repeats()
        self._size = 0
        self._forgotten = 0
        self.complete = True
        self.is_anothers = False

    def __len__(self) -> int:
        return len(self._items)

    def add(self, item: Item, *, original: bool) -> None:
        """Take the next item; ``original``: somebody will ask for it itself."""
        # What is like an earlier chunk but for its content says no more of how the answer ended.
        data = self._repeats.packed(item)
        if data is None:
            data = pack(item, self._completeness.see)
            self._repeats.learn(item)
        if original:
            self._originals[len(self._items)] = item
        if data is None:
            self.complete = False
            self._items.append(copied(item))
            return
        self._size += len(data)
        if self._size > self._max_bytes:
            self.complete = False
        self._items.append(data)

    def item(self, at: int, *, original: bool) -> Item:
        """Return an item not yet forgotten: the ``original`` to one caller, copies to others."""
        if original and (first := self._originals.pop(at, None)) is not None:
            return first
        kept = self._items[at]
        assert kept is not None  # noqa: S101 - callers forget only what all of them have had
        return unpack(kept) if isinstance(kept, bytes) else copied(kept)

    def forget(self, before: int) -> None:
        """Let go of items that everyone has had, when they are not to be stored anyway."""
        if not self.complete:
            for at in range(self._forgotten, before):
                self._items[at] = None
            self._forgotten = max(self._forgotten, before)

    def drop_originals(self) -> None:
        """Let go of what nobody will ask for any more."""
        self._originals.clear()

    @property
    def storable(self) -> bool:
        """Whether the answer, once it is over, is one to keep."""
        if self._choices is None or not self.complete or self.is_anothers:
            return False
        return self._completeness.storable(self._choices)

    def packed(self) -> tuple[bytes, ...] | None:
        """Return all items to be stored; None when the answer is not one to keep."""
        if not self.storable:
            return None
        return tuple(item for item in self._items if isinstance(item, bytes))
