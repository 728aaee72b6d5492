"""One event of a stream, and one that is too large."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orq_core._json import loads

if TYPE_CHECKING:
    from typing import TypeAlias

_DONE = b"[DONE]"


class EventTooLargeError(ValueError):
    """One event has more bytes than allowed; ``blocks`` came before it in the same bytes."""

    def __init__(self, message: str, blocks: list[Block]) -> None:
        """Say how large an event may be."""
        super().__init__(message)
        self.blocks = blocks


class Event:
    """One dispatched event.

    ``data``: its data lines joined by line feeds, undecoded; None for a block that has no data
    but an ``error`` field. ``id``: the last event id at this point. ``retry``: the block's own
    reconnection time in milliseconds. ``fields``: the values of non-standard fields, by name.
    """

    __slots__ = ("data", "event", "fields", "id", "retry")

    def __init__(
        self,
        data: bytes | None,
        event: str = "message",
        last_id: str = "",
        retry: int | None = None,
        fields: dict[str, bytes] | None = None,
    ) -> None:
        """Hold what a block said."""
        self.data = data
        self.event = event
        self.id = last_id
        self.retry = retry
        self.fields: dict[str, bytes] = fields or {}

    @property
    def text(self) -> str:
        """The data as text; what is not UTF-8 is replaced."""
        return (self.data or b"").decode("utf-8", "replace")

    def __repr__(self) -> str:
        """Show what kind of event it is, not what it carries."""
        size = None if self.data is None else len(self.data)
        return f"<Event {self.event!r}: {size} bytes of data>"


Block: TypeAlias = "bytes | Event"
"""An event, or the data of one that has nothing else."""


def is_whole(data: bytes, *, ended: bool) -> bool:
    """Tell whether data whose blank line is missing is certainly all; ``ended``: its line is."""
    text = data.strip()
    if text == _DONE:
        return True
    if text.startswith((b"{", b"[")):
        # No beginning of a JSON object or list is itself JSON.
        try:
            loads(text)
        except ValueError:
            return False
        return True
    return ended and bool(text)
