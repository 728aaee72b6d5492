"""A transport without sockets: scripted answers for tests of clients and plugins."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

from orq_core.errors import APIConnectionError
from orq_core.testing.replies import Cut, Reply, Reset, Send

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from orq_core.transports import HttpRequest

    Answer = Reply | BaseException


class ScriptedTransport:
    """Answers with replies and exceptions in turn; the last one is repeated.

    ``requests`` records what was sent, ``responses`` what was answered, ``closed`` whether the
    client closed it. A reply's `Cut` and `Reset` break the connection there; other waits pass at
    once.
    """

    def __init__(
        self,
        *replies: Reply | BaseException | Callable[[HttpRequest], Reply],
        is_async: bool = False,
    ) -> None:
        """Answer so; ``is_async`` says which kind of client it is for."""
        self.is_async = is_async
        self.requests: list[HttpRequest] = []
        self.responses: list[ScriptedResponse] = []
        self.closed = False
        self._replies = deque(replies)

    async def send(self, http: HttpRequest) -> ScriptedResponse:
        """Answer with the next reply."""
        self.requests.append(http)
        http.limits.enter("first_event")
        reply = self._replies.popleft() if len(self._replies) > 1 else self._replies[0]
        if isinstance(reply, BaseException):
            raise reply
        response = ScriptedResponse(reply if isinstance(reply, Reply) else reply(http))
        self.responses.append(response)
        return response

    async def close(self) -> None:
        """Note it."""
        self.closed = True

    @property
    def open_responses(self) -> int:
        """How many answers were not closed."""
        return sum(not response.closed for response in self.responses)


class ScriptedResponse:
    """A reply being read."""

    def __init__(self, reply: Reply) -> None:
        """Begin with its first step."""
        self.status = reply.status
        self.headers: Mapping[str, str] = {k.lower(): v for k, v in reply.headers.items()}
        self.closed = False
        self._steps: Iterable[Any] = iter(reply.steps)

    async def read(self) -> bytes:
        """Return what is left."""
        pieces: list[bytes] = []
        while data := await self.receive():
            pieces.append(data)
        return b"".join(pieces)

    async def receive(self) -> bytes:
        """Return the next piece."""
        for step in self._steps:
            if isinstance(step, (Cut, Reset)):
                raise APIConnectionError("the script broke the connection")
            if isinstance(step, Send) and step.data:
                return step.data
        return b""

    def close(self) -> None:
        """Note it."""
        self.closed = True
