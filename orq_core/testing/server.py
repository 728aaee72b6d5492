"""``python -m orq_core serve``: the local router in the foreground."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from attrs import evolve

from orq_core.testing.echo_model import echo
from orq_core.testing.replies import Reply, recorded
from orq_core.testing.router import LocalRouter
from orq_core.testing.steps import Pause

if TYPE_CHECKING:
    from collections.abc import Callable

    from orq_core.testing.received import Received
    from orq_core.testing.steps import Step


def serve(
    *,
    port: int = 0,
    replay: Path | None = None,
    delay: float = 0.0,
    ready: Callable[[str], object] = print,
) -> None:
    """Serve until interrupted; ``ready`` is told the URL.

    ``replay``: answer every request with this recorded exchange, a stream event by event.
    ``delay``: seconds between the pieces of a stream. Raises OSError for the port or the file,
    ValueError when the file holds something else.
    """
    replayed = None if replay is None else recorded(json.loads(Path(replay).read_bytes()))

    def answer(received: Received) -> Reply:
        reply = echo(received) if replayed is None else replayed.by_event()
        return slowed(reply, delay) if delay else reply

    with LocalRouter(port, answer) as router:
        ready(router.url)
        threading.Event().wait()


def slowed(reply: Reply, delay: float) -> Reply:
    """Pause so many seconds between the steps of a reply."""
    steps: list[Step] = []
    for step in reply.steps:
        steps += [Pause(delay), step]
    return evolve(reply, steps=tuple(steps[1:]))
