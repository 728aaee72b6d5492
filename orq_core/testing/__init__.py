"""For tests of clients and plugins: a local router, a scripted transport, pytest fixtures.

The pytest plugin is found by its entry point and gives the fixtures ``orq_router`` and ``mode``.
"""

from orq_core.testing.echo import echo
from orq_core.testing.modes import MODES, Mode
from orq_core.testing.replies import (
    DONE,
    Cut,
    Pause,
    Reply,
    Reset,
    Send,
    Stall,
    Wait,
    chunk,
    completion,
    event,
    recorded,
    reply,
    stream,
)
from orq_core.testing.router import LocalRouter, Received
from orq_core.testing.scripted import ScriptedTransport

__all__ = [
    "DONE",
    "MODES",
    "Cut",
    "LocalRouter",
    "Mode",
    "Pause",
    "Received",
    "Reply",
    "Reset",
    "ScriptedTransport",
    "Send",
    "Stall",
    "Wait",
    "chunk",
    "completion",
    "echo",
    "event",
    "recorded",
    "reply",
    "stream",
]
