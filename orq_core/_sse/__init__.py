"""From bytes to server-sent events, sans-I/O."""

from orq_core._sse.decoder import Decoder
from orq_core._sse.event import Block, Event, EventTooLargeError

__all__ = ["Block", "Decoder", "Event", "EventTooLargeError"]
