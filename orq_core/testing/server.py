"""``python -m orq_core serve``: the local router in the foreground."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from orq_core.testing.echo import echo
from orq_core.testing.replies import Pause, Reply, recorded
from orq_core.testing.router import LocalRouter

if TYPE_CHECKING:
    from collections.abc import Callable

    from orq_core.testing.router import Received


def serve(
    *,
    port: int = 0,
    replay: Path | None = None,
    delay: float = 0.0,
    ready: Callable[[str], object] = print,
) -> None:
    """Serve until interrupted; ``ready`` is told the URL.

    ``replay``: answer every request with this recorded exchange. ``delay``: seconds between the
    pieces of a stream.
    """
    replayed = None if replay is None else recorded(json.loads(Path(replay).read_text("utf-8")))

    def answer(received: Received) -> Reply:
        reply = echo(received) if replayed is None else replayed
        if not delay:
            return reply
        slow = [each for step in reply.steps for each in (step, Pause(delay))]
        return Reply(reply.status, reply.headers, tuple(slow))

    with LocalRouter(port, answer) as router:
        ready(router.url)
        threading.Event().wait()
