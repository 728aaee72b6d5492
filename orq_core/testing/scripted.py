"""A transport without sockets: scripted answers for tests of clients and plugins."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from requests.structures import CaseInsensitiveDict

from orq_core.errors import APIConnectionError
from orq_core.testing.echo_model import echo
from orq_core.testing.received import Received
from orq_core.testing.replies import Reply
from orq_core.testing.steps import PATIENCE, Cut, Raise, Reset, Send, Stall, Wait

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Mapping

    from orq_core.testing.steps import Step
    from orq_core.transports import HttpRequest

_LOOK = 0.001  # seconds between two looks at a thread's event


class ScriptedTransport:
    """Answers with replies and exceptions in turn; the last one is repeated, none is an echo.

    ``requests`` records what was sent, ``responses`` what was answered, ``closed`` whether the
    client closed it. `Cut` and `Reset` break the connection, `Raise` raises, `Stall` reaches a
    limit of the call, `Pause` takes no time; under asyncio only `Wait` suspends. Steps before
    the first `Send` happen in `send`.
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
        self._replies = deque(replies or (_echo,))

    async def send(self, http: HttpRequest) -> ScriptedResponse:
        """Answer with the next reply."""
        self.requests.append(http)
        http.limits.enter("first_event")
        reply = self._replies.popleft() if len(self._replies) > 1 else self._replies[0]
        if isinstance(reply, BaseException):
            raise reply
        response = ScriptedResponse(
            reply if isinstance(reply, Reply) else reply(http),
            http,
            is_async=self.is_async,
        )
        await response.begin()
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
    """A reply being read; ``closed`` says whether the client is done with it."""

    def __init__(self, reply: Reply, http: HttpRequest, *, is_async: bool) -> None:
        """Begin before its first step."""
        self.status = reply.status
        self.headers: Mapping[str, str] = CaseInsensitiveDict(reply.headers)
        self.closed = False
        self._limits = http.limits
        self._is_async = is_async
        self._steps = deque(reply.steps)

    async def begin(self) -> None:
        """Take the steps that come before the head."""
        while self._steps and not isinstance(self._steps[0], Send):
            await self._take(self._steps.popleft())

    async def read(self) -> bytes:
        """Return what is left."""
        pieces: list[bytes] = []
        while data := await self.receive():
            pieces.append(data)
        return b"".join(pieces)

    async def receive(self) -> bytes:
        """Return the next piece."""
        while self._steps:
            step = self._steps.popleft()
            if not isinstance(step, Send):
                await self._take(step)
            elif step.data:
                return step.data
        return b""

    def close(self) -> None:
        """Note it."""
        self.closed = True

    async def _take(self, step: Step) -> None:
        if isinstance(step, (Cut, Reset)):
            raise APIConnectionError("the script broke the connection")
        if isinstance(step, Raise):
            raise step.error
        if isinstance(step, Stall):
            if self._limits.next_at is None:
                raise RuntimeError("the script stalls, and this call has no time limit")
            raise self._limits.error()
        if isinstance(step, Wait) and not await self._wait(step.event):
            raise APIConnectionError("nobody set the event that the script waits for")

    async def _wait(self, event: threading.Event) -> bool:
        if not self._is_async:
            return event.wait(PATIENCE)
        loop = asyncio.get_running_loop()
        latest = loop.time() + PATIENCE
        while not event.is_set() and loop.time() < latest:  # noqa: ASYNC110 - the event is a thread's, which knows nothing of this loop and can't wake it
            await asyncio.sleep(_LOOK)
        return event.is_set()


def _echo(http: HttpRequest) -> Reply:
    return echo(Received(http.method, urlsplit(http.url).path, http.headers, http.body))
