"""What a plugin has to keep to; each rule has a heading of its own in the documentation."""

from __future__ import annotations

from attrs import define

PAGE = "docs/plugins/testing.md"


@define(frozen=True)
class Rule:
    """One rule: its name, which is also its anchor, and what it asks in one sentence."""

    name: str
    asks: str

    @property
    def docs(self) -> str:
        """Where the rule is explained."""
        return f"{PAGE}#{self.name}"


LOADING = Rule("loading", "the plugin can be made, fits the hooks and takes part in the calls")
ITEMS = Rule("items", "every item passes once, in its order, as it was")
FINISH_REASON = Rule("finish-reason", "a finished answer stays finished")
ERRORS = Rule("errors", "failures reach the caller, and the plugin adds none")
CANCELLATION = Rule("cancellation", "cancellation and Ctrl-C reach the caller")
CLOSING = Rule("closing", "a layer that is closed ends, and ends quietly")
ENDINGS = Rule("endings", "a call ends once, and in the same way for all layers")
LEAKS = Rule("leaks", "no task, thread, descriptor or answer is left open")
MEMORY = Rule("memory", "nothing refers to a call that is over")
EVENT_LOOP = Rule("event-loop", "nothing blocks the event loop")
BLOCKING_MODE = Rule("blocking-mode", "nothing needs an event loop in blocking mode")
ISOLATION = Rule("isolation", "calls under way at the same time share no state")
OVERHEAD = Rule("overhead", "what an event costs stays within the limit, if there is one")

RULES = (
    LOADING,
    ITEMS,
    FINISH_REASON,
    ERRORS,
    CANCELLATION,
    CLOSING,
    ENDINGS,
    LEAKS,
    MEMORY,
    EVENT_LOOP,
    BLOCKING_MODE,
    ISOLATION,
    OVERHEAD,
)
