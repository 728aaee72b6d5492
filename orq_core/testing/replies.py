"""What a server or a scripted transport answers: statuses, bodies, and the ways a stream goes."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from attrs import define, field

if TYPE_CHECKING:
    import threading

_HOP_BY_HOP = frozenset(
    {"connection", "content-encoding", "content-length", "date", "keep-alive", "transfer-encoding"},
)
_SSE = "text/event-stream"


@define(frozen=True)
class Send:
    """Send these bytes, as one piece."""

    data: bytes = field(repr=False)


@define(frozen=True)
class Pause:
    """Wait so many seconds."""

    seconds: float


@define(frozen=True)
class Wait:
    """Wait until a test sets this event, at most ten seconds."""

    event: threading.Event


@define(frozen=True)
class Cut:
    """End the connection in good order before the body is over."""


@define(frozen=True)
class Reset:
    """Reset the connection."""


@define(frozen=True)
class Stall:
    """Send nothing more until the client leaves or the router closes."""


Step = Send | Pause | Wait | Cut | Reset | Stall


@define(frozen=True)
class Reply:
    """One answer; ``steps`` is how its body goes out. A plain body is one `Send`."""

    status: int = 200
    headers: Mapping[str, str] = field(factory=dict[str, str])
    steps: tuple[Step, ...] = ()

    @property
    def body(self) -> bytes:
        """Everything it sends."""
        return b"".join(step.data for step in self.steps if isinstance(step, Send))

    def chunked_at(self, points: Iterable[int]) -> Reply:
        """Send the same bytes in pieces, cut at these offsets."""
        body = self.body
        ends = [*sorted(point for point in points if 0 < point < len(body)), len(body)]
        begins = [0, *ends[:-1]]
        pieces = tuple(Send(body[a:b]) for a, b in zip(begins, ends, strict=True))
        return Reply(self.status, self.headers, pieces)

    def then(self, *steps: Step) -> Reply:
        """Go on with more steps."""
        return Reply(self.status, self.headers, (*self.steps, *steps))


def reply(
    body: Any = b"",
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> Reply:
    """Answer with a body: bytes or text as they are, anything else as JSON."""
    kind = "application/json"
    if isinstance(body, str):
        body = body.encode()
    elif not isinstance(body, bytes):
        body = json.dumps(body).encode()
    return Reply(status, {"Content-Type": kind, **(headers or {})}, (Send(body),))


def stream(
    *parts: Step | bytes | Mapping[str, Any],
    headers: Mapping[str, str] | None = None,
) -> Reply:
    """Answer with an event stream of steps, bytes, and objects that become events."""
    steps = tuple(_step(part) for part in parts)
    return Reply(200, {"Content-Type": _SSE, **(headers or {})}, steps)


def _step(part: Step | bytes | Mapping[str, Any]) -> Step:
    if isinstance(part, bytes):
        return Send(part)
    return Send(event(part)) if isinstance(part, Mapping) else part


def event(data: Mapping[str, Any]) -> bytes:
    """Write one server-sent event."""
    return b"data: " + json.dumps(data).encode() + b"\n\n"


DONE = b"data: [DONE]\n\n"


def chunk(
    content: str | None = None,
    *,
    finish_reason: str | None = None,
    index: int = 0,
    **delta: Any,
) -> dict[str, Any]:
    """Make a chunk's JSON."""
    if content is not None:
        delta["content"] = content
    return {
        "id": "chatcmpl-fake",
        "object": "chat.completion.chunk",
        "created": 1700000000,
        "model": "fake/model",
        "choices": [{"index": index, "delta": delta, "finish_reason": finish_reason}],
    }


def completion(
    content: str | None, *, finish_reason: str = "stop", **message: Any
) -> dict[str, Any]:
    """Make a completion's JSON."""
    message = {"role": "assistant", "content": content, **message}
    return {
        "id": "chatcmpl-fake",
        "object": "chat.completion",
        "created": 1700000000,
        "model": "fake/model",
        "choices": [{"index": 0, "message": message, "finish_reason": finish_reason}],
        "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
    }


def recorded(exchange: Mapping[str, Any]) -> Reply:
    """Replay a recorded exchange: ``{"response": {"status", "headers", "body"}}``."""
    response = exchange["response"]
    headers = {
        name: value
        for name, value in response["headers"].items()
        if name.lower() not in _HOP_BY_HOP
    }
    return Reply(response["status"], headers, (Send(response["body"].encode()),))
