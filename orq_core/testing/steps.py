"""The steps in which an answer goes out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import define, field

if TYPE_CHECKING:
    import threading

PATIENCE = 10.0  # seconds; a test that forgot to set its event must fail, not hang


@define(frozen=True)
class Send:
    """Send these bytes, as one piece; the first one takes the head with it, even if empty."""

    data: bytes = field(repr=False)


@define(frozen=True)
class Pause:
    """Wait so many seconds; a scripted transport does not."""

    seconds: float


@define(frozen=True)
class Wait:
    """Wait until a test sets this event; after ten seconds the connection is reset."""

    event: threading.Event


@define(frozen=True)
class Cut:
    """End the connection in good order before the body is over."""


@define(frozen=True)
class Reset:
    """Reset the connection; what was sent just before may be lost with it."""


@define(frozen=True)
class Stall:
    """Send nothing more.

    A router holds the connection until the client leaves or the router closes. With a scripted
    transport the nearest limit of the call is reached at once.
    """


@define(frozen=True)
class Raise:
    """Raise this from a scripted transport; a router resets the connection."""

    error: BaseException


Step = Send | Pause | Wait | Cut | Reset | Stall | Raise
