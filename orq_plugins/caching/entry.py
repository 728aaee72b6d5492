"""An answer as bytes, and back as the items of either kind of call."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import msgspec
from attrs import define

from orq_core import ChatCompletion, ChatCompletionChunk, to_dict
from orq_core._accumulate import Accumulator, mark_stand_ins, stand_ins
from orq_core.models import make_converter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from orq_core import Item

_VERSION = 1

_encode = msgspec.msgpack.Encoder().encode


def pack(item: Item, see: Callable[[dict[str, Any]], object] | None = None) -> bytes | None:
    """Write an item; None for one that holds what no entry can, as integers beyond 64 bits.

    ``see`` is called with its JSON data.
    """
    try:
        beside = _beside(item) if isinstance(item, ChatCompletionChunk) else None
        body = to_dict(item)
        data = _encode((body, beside))
    except Exception:  # noqa: BLE001 - a plugin may have put something into the answer that can't be written; it is not stored then
        return None
    if see is not None:
        see(body)
    return data


def _beside(chunk: ChatCompletionChunk) -> tuple[Any, Any]:
    """Return what the JSON of a chunk can't tell, if it was made of a whole answer.

    Some servers send a stray ``delta`` beside the message; a chunk has one of its own.
    """
    stray = [
        (at, choice.extra["delta"])
        for at, choice in enumerate(chunk.choices)
        if choice.extra and "delta" in choice.extra
    ]
    return stand_ins(chunk), stray


def unpack(data: bytes) -> Item:
    """Read an item; each time a new one, so that nobody's changes are another's."""
    body, beside = msgspec.msgpack.decode(data)
    if beside is None:
        whole: ChatCompletion = _converter().structure(body, ChatCompletion)
        return whole
    chunk: ChatCompletionChunk = _converter().structure(body, ChatCompletionChunk)
    mark_stand_ins(chunk, beside[0])
    stray: list[tuple[int, Any]] = beside[1]
    for at, delta in stray:
        chunk.choices[at].extra["delta"] = delta
    return chunk


@define(frozen=True)
class Entry:
    """A stored answer; ``created`` is in seconds since 1970, ``ttl`` seconds from then."""

    created: float
    ttl: float
    items: tuple[bytes, ...]

    def dump(self) -> bytes:
        """Write it for a store."""
        return msgspec.msgpack.encode((_VERSION, self.created, self.ttl, self.items))

    @classmethod
    def load(cls, data: bytes) -> Entry | None:
        """Read what a store held; None for what this version can't read."""
        try:
            version, created, ttl, items = msgspec.msgpack.decode(data)
            if version != _VERSION:
                return None
            return cls(float(created), float(ttl), tuple(items))
        except (msgspec.MsgspecError, TypeError, ValueError):
            return None


def fitted(items: Iterable[bytes], *, stream: bool) -> Sequence[Item]:
    """Return the items for a call: chunks as they were, or one completion of them.

    One completion serves a stream as it is: the client makes events of it.
    """
    unpacked = [unpack(item) for item in items]
    if stream or not any(isinstance(item, ChatCompletionChunk) for item in unpacked):
        return unpacked
    return [whole(unpacked)]


def readable(items: Iterable[bytes], *, stream: bool) -> Sequence[Item]:
    """Return the items for a call as `fitted` does; none of what can't be read."""
    try:
        return fitted(items, stream=stream)
    except Exception:  # noqa: BLE001 - damaged, or written by another version: as good as absent
        return ()


def whole(items: Iterable[Item]) -> ChatCompletion:
    """Accumulate chunks to the completion they make."""
    accumulator = Accumulator()
    for item in items:
        if isinstance(item, ChatCompletion):
            return item
        accumulator.add(item)
    return accumulator.completion()


@cache
def _converter() -> Any:
    return make_converter()
