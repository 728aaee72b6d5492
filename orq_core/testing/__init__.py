"""For tests of clients and plugins: a local router, a scripted transport, pytest fixtures.

The pytest plugin is found by its entry point and gives the fixtures ``orq_router`` and ``mode``.
It is loaded by every run of pytest, so names are loaded when they are first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from orq_core.testing.conformance import PluginCheckError, Report, Verdict, check_plugin
    from orq_core.testing.echo_model import echo
    from orq_core.testing.modes import MODES, Mode
    from orq_core.testing.payloads import DONE, chunk, completion, error_event, event
    from orq_core.testing.received import Received
    from orq_core.testing.replies import Reply, recorded, reply, stream
    from orq_core.testing.router import LocalRouter
    from orq_core.testing.scripted import ScriptedResponse, ScriptedTransport
    from orq_core.testing.steps import Cut, Pause, Raise, Reset, Send, Stall, Step, Wait

_HOME = {
    "conformance": ("PluginCheckError", "Report", "Verdict", "check_plugin"),
    "echo_model": ("echo",),
    "modes": ("MODES", "Mode"),
    "payloads": ("DONE", "chunk", "completion", "error_event", "event"),
    "received": ("Received",),
    "replies": ("Reply", "recorded", "reply", "stream"),
    "router": ("LocalRouter",),
    "scripted": ("ScriptedResponse", "ScriptedTransport"),
    "steps": ("Cut", "Pause", "Raise", "Reset", "Send", "Stall", "Step", "Wait"),
}
_MODULE_OF = {name: module for module, names in _HOME.items() for name in names}

__all__ = [
    "DONE",
    "MODES",
    "Cut",
    "LocalRouter",
    "Mode",
    "Pause",
    "PluginCheckError",
    "Raise",
    "Received",
    "Reply",
    "Report",
    "Reset",
    "ScriptedResponse",
    "ScriptedTransport",
    "Send",
    "Stall",
    "Step",
    "Verdict",
    "Wait",
    "check_plugin",
    "chunk",
    "completion",
    "echo",
    "error_event",
    "event",
    "recorded",
    "reply",
    "stream",
]


def __getattr__(name: str) -> Any:
    """Load a public name's module at its first use (PEP 562)."""
    module = _MODULE_OF.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{module}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """List the public names."""
    return sorted({*globals(), *__all__})
