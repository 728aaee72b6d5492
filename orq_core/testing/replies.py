"""What a server or a scripted transport answers: statuses, headers, and the steps of a body."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from itertools import groupby
from typing import Any

from attrs import define, evolve, field

from orq_core.testing.payloads import event
from orq_core.testing.steps import Send, Step

_DROPPED = frozenset(
    {
        "connection",
        "content-encoding",  # recordings hold decoded bodies
        "content-length",
        "date",
        "keep-alive",
        "proxy-authenticate",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    },
)
_BLANK_LINE = re.compile(rb"\r\n\r\n|\n\n|\r\r")


@define(frozen=True)
class Reply:
    """One answer; ``steps`` is how it goes out.

    The head leaves with the first `Send`, so steps before that delay the head or replace it. A
    reply of one `Send` at most has a Content-Length, unless it is an event stream; all others
    are sent in chunks, one for each `Send`.
    """

    status: int = 200
    headers: Mapping[str, str] = field(factory=dict[str, str])
    steps: tuple[Step, ...] = ()

    @property
    def body(self) -> bytes:
        """Everything it sends."""
        return b"".join(step.data for step in self.steps if isinstance(step, Send))

    @property
    def is_event_stream(self) -> bool:
        """Whether its Content-Type says so."""
        kinds = [value for name, value in self.headers.items() if name.lower() == "content-type"]
        return any(kind.lower().startswith("text/event-stream") for kind in kinds)

    @property
    def is_whole(self) -> bool:
        """Whether its body goes out in one piece of known length."""
        sends = all(isinstance(step, Send) for step in self.steps)
        return sends and len(self.steps) <= 1 and not self.is_event_stream

    def chunked_at(self, points: Iterable[int] = (), *, every: int | None = None) -> Reply:
        """Send the same bytes in other pieces: cut at these offsets, or after so many bytes.

        Steps that are no `Send` keep their place.
        """
        length = len(self.body)
        cuts = set(points) | set(range(every, length, every) if every else ())
        steps: list[Step] = []
        sent = 0
        for sends, group in groupby(self.steps, lambda step: isinstance(step, Send)):
            run = list(group)
            if not sends:
                steps += run
                continue
            data = b"".join(step.data for step in run if isinstance(step, Send))
            inside = sorted(cut - sent for cut in cuts if sent < cut < sent + len(data))
            begins = [0, *inside]
            ends = [*inside, len(data)]
            steps += [Send(data[a:b]) for a, b in zip(begins, ends, strict=True)]
            sent += len(data)
        return evolve(self, steps=tuple(steps))

    def by_event(self) -> Reply:
        """Send each server-sent event as a piece of its own; other bodies stay as they are."""
        if not self.is_event_stream:
            return self
        return self.chunked_at(found.end() for found in _BLANK_LINE.finditer(self.body))

    def then(self, *steps: Step) -> Reply:
        """Go on with more steps."""
        return evolve(self, steps=(*self.steps, *steps))


def reply(
    body: Any = b"",
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> Reply:
    """Answer with a body: bytes or text as they are, anything else as JSON."""
    if isinstance(body, str):
        body = body.encode()
    elif not isinstance(body, bytes):
        body = json.dumps(body).encode()
    return Reply(status, _headers("application/json", headers), (Send(body),))


def stream(
    *parts: Step | bytes | Mapping[str, Any],
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> Reply:
    """Answer with an event stream of steps, bytes, and objects that become events."""
    steps = tuple(_step(part) for part in parts)
    return Reply(status, _headers("text/event-stream", headers), steps)


def recorded(exchange: Mapping[str, Any]) -> Reply:
    """Replay a recorded exchange: ``{"response": {"status", "headers", "body"}}``.

    Headers that describe the recorded connection are left out. Raises ValueError when it is
    something else.
    """
    try:
        response = exchange["response"]
        headers: dict[str, str] = dict(response["headers"])
        kept = {name: value for name, value in headers.items() if name.lower() not in _DROPPED}
        return Reply(int(response["status"]), kept, (Send(response["body"].encode()),))
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError("not a recorded exchange: no response of status, headers, body") from error


def _step(part: Step | bytes | Mapping[str, Any]) -> Step:
    if isinstance(part, bytes):
        return Send(part)
    return Send(event(part)) if isinstance(part, Mapping) else part


def _headers(kind: str, given: Mapping[str, str] | None) -> dict[str, str]:
    headers = dict(given or {})
    if not any(name.lower() == "content-type" for name in headers):
        headers["Content-Type"] = kind
    return headers
