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
    from collections.abc import Iterable, Sequence

    from orq_core import Item

_VERSION = 1


def pack(item: Item) -> bytes | None:
    """Write an item; None for one that holds what no entry can, as integers beyond 64 bits."""
    try:
        beside = _beside(item) if isinstance(item, ChatCompletionChunk) else None
        return msgspec.msgpack.encode((to_dict(item), beside))
    except Exception:  # noqa: BLE001 - a plugin may have put anything into it
        return None


def _beside(chunk: ChatCompletionChunk) -> tuple[Any, Any]:
    """Return what the JSON of a chunk can't tell, if it was made of a whole answer.

    Some servers send a stray ``delta`` beside the message; a chunk has one of its own.
    """
    extras = [choice.extra for choice in chunk.choices]
    stray = [(at, extra["delta"]) for at, extra in enumerate(extras) if "delta" in extra]
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


def body_of(data: bytes) -> dict[str, Any]:
    """Return a packed item's JSON data."""
    body: dict[str, Any] = msgspec.msgpack.decode(data)[0]
    return body


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
