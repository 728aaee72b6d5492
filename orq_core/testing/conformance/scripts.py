"""What the server answers in the scenarios."""

from __future__ import annotations

import threading
from typing import Any

from orq_core.testing.payloads import DONE, chunk, completion
from orq_core.testing.replies import Reply, reply, stream
from orq_core.testing.steps import Cut, Raise, Reset, Send, Step, Wait

WORDS = ("Once", " there", " were", " six", " pieces", " here")
PASSED = 3  # events that arrive before what happens in the middle


class Interrupted(KeyboardInterrupt):
    """Ctrl-C, as the kit makes it: the user's own is another one."""


class Gate(threading.Event):
    """Stays shut, and tells when somebody waits at it."""

    def __init__(self) -> None:
        """Nobody has been here."""
        super().__init__()
        self.reached = False

    def is_set(self) -> bool:
        """Note that somebody looks."""
        self.reached = True
        return super().is_set()


def events(words: tuple[str, ...] = WORDS) -> list[dict[str, Any]]:
    """Make the events of a whole stream, no two of them alike."""
    first = chunk("", role="assistant")
    return [first, *(chunk(word) for word in words), chunk(finish_reason="stop")]


def good(*, streamed: bool, words: tuple[str, ...] = WORDS) -> Reply:
    """Answer in full."""
    return stream(*events(words), DONE) if streamed else reply(completion("".join(words)))


def refused() -> Reply:
    """Answer with a status that may be repeated at once."""
    body = {"error": {"message": "try again", "code": "overloaded"}}
    return reply(body, status=503, headers={"retry-after": "0"})


def until(step: Step, *, streamed: bool) -> Reply:
    """Answer so far, and then go on with a step."""
    if streamed:
        return stream(*events()[:PASSED], step)
    body = reply(completion("".join(WORDS))).body
    return Reply(200, {"Content-Type": "application/json"}, (Send(body[: len(body) // 2]), step))


def broken(*, streamed: bool) -> Reply:
    """Break the connection in the middle."""
    return until(Reset(), streamed=streamed)


def truncated(*, streamed: bool) -> Reply:
    """End in good order and too early."""
    return stream(*events()[:-1]) if streamed else until(Cut(), streamed=False)


def interrupted(*, streamed: bool) -> Reply:
    """Be interrupted in the middle."""
    return until(Raise(Interrupted()), streamed=streamed)


def waiting(gate: Gate, *, streamed: bool) -> Reply:
    """Never go on."""
    return until(Wait(gate), streamed=streamed)
