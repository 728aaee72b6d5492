"""Chunks that differ from an earlier one in their content alone, packed without the rest of them.

It takes a quarter of the time of packing all of it (``python -m tests.benchmarks.plugins``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from orq_core.models import ChatCompletionChunk
from orq_core.models._alike import Alike, is_plain
from orq_plugins.caching.entry import pack

if TYPE_CHECKING:
    from collections.abc import Callable

    from orq_core import Item

_encode = msgspec.msgpack.Encoder().encode
_PROBE = "\u2014probe\u2014"
_TRIALS = 4  # chunks that may prove to be like no other before learning stops
_WORTHWHILE = 8


class Repeats:
    """What is around the content of the chunk that the next ones are compared with."""

    def __init__(self) -> None:
        """Begin with none."""
        self._content: Callable[[object], str | None] | None = None
        self._before = b""
        self._after = b""
        self._learned = 0
        self._used = 0

    def packed(self, item: Item) -> bytes | None:
        """Return what `pack` would, for an item that is like the learned one; None for others."""
        if self._content is None or (text := self._content(item)) is None:
            return None
        self._used += 1
        try:
            return self._before + _encode(text) + self._after
        except UnicodeEncodeError:
            return None

    def learn(self, item: Item) -> None:
        """Take an item that had to be packed as a whole."""
        if self._learned >= _TRIALS + self._used // _WORTHWHILE:
            return
        if not isinstance(item, ChatCompletionChunk) or not is_plain(item):
            return
        self._learned += 1
        alike = Alike(item)
        before, _, after = (pack(alike.make(_PROBE)) or b"").partition(_encode(_PROBE))
        # The probe may stand elsewhere too.
        if before + _encode("") + after == pack(alike.make("")):
            self._content, self._before, self._after = alike.content, before, after
