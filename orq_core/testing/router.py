"""A router on this machine: real sockets, scripted answers, and a record of what it was asked."""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Any

from aiohttp import web
from attrs import define, field

from orq_core.testing.echo import echo
from orq_core.testing.replies import Cut, Pause, Reply, Reset, Send, Stall, Wait

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from typing_extensions import Self

    from orq_core.testing.replies import Step

_START = 10.0
_WAIT = 10.0


@define(frozen=True)
class Received:
    """One request as it arrived; ``json`` is its body, None if that is no JSON."""

    method: str
    path: str
    headers: dict[str, str] = field(repr=False)
    body: bytes = field(repr=False)

    @property
    def json(self) -> Any:
        """The body, read."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None


Answering = "Callable[[Received], Reply]"


class LocalRouter:
    """Answers chat completions on any path that ends in ``/chat/completions``.

    Without other instructions it echoes the last user message, streamed or not, as the request
    asks. `enqueue` and `always` say what to answer instead. ``requests`` records what arrived,
    ``disconnected`` counts clients that left before their answer was over.

    A context manager; it runs in a thread of its own and is safe to use from any other.
    """

    def __init__(self, port: int = 0, answer: Callable[[Received], Reply] = echo) -> None:
        """Listen on loopback, at a free port unless one is given."""
        self.requests: list[Received] = []
        self.disconnected = 0
        self.port = port
        self._answer: Callable[[Received], Reply] = answer
        self._queue: deque[Reply] = deque()
        self._loop = asyncio.new_event_loop()
        self._stopping: asyncio.Event | None = None
        self._started = threading.Event()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="local router", daemon=True)

    @property
    def url(self) -> str:
        """What to give a client as ``server_url``."""
        return f"http://127.0.0.1:{self.port}"

    def enqueue(self, *replies: Reply) -> None:
        """Answer the next requests with these, one each."""
        self._queue.extend(replies)

    def always(self, answer: Reply | Callable[[Received], Reply]) -> None:
        """Answer every request this way once the queue is empty."""
        if isinstance(answer, Reply):
            reply = answer
            self._answer = lambda received: reply  # noqa: ARG005 - the same for all
        else:
            self._answer = answer

    def start(self) -> None:
        """Listen; returns once requests are taken. Raises OSError when the port is in use."""
        self._thread.start()
        self._started.wait(_START)
        if self._failure is not None:
            raise self._failure

    def stop(self) -> None:
        """Drop every connection and end the thread; idempotent."""
        if self._thread.is_alive() and self._stopping is not None:
            self._loop.call_soon_threadsafe(self._stopping.set)
            self._thread.join(_START)

    def __enter__(self) -> Self:
        """Start."""
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop."""
        self.stop()

    def _run(self) -> None:
        try:
            self._loop.run_until_complete(self._serve())
        except OSError as error:
            self._failure = error
            self._started.set()
        finally:
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
            self._loop.close()

    async def _serve(self) -> None:
        self._stopping = asyncio.Event()
        application = web.Application(client_max_size=2**30)
        application.router.add_route("*", "/{path:.*}", self._handle)
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        try:
            site = web.TCPSite(runner, "127.0.0.1", self.port)
            await site.start()
            self.port = runner.addresses[0][1]
            self._started.set()
            await self._stopping.wait()
        finally:
            await runner.cleanup()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        received = Received(
            request.method,
            request.path_qs,
            dict(request.headers),
            await request.read(),
        )
        self.requests.append(received)
        if not request.path.endswith("/chat/completions"):
            return web.json_response({"error": {"message": "no such path"}}, status=404)
        reply = self._queue.popleft() if self._queue else self._answer(received)
        try:
            return await self._send(request, reply)
        except (ConnectionError, asyncio.CancelledError):
            self.disconnected += 1
            raise

    async def _send(self, request: web.Request, reply: Reply) -> web.StreamResponse:
        whole = len(reply.steps) <= 1 and all(isinstance(step, Send) for step in reply.steps)
        headers = dict(reply.headers)
        if whole and not headers.get("Content-Type", "").startswith("text/event-stream"):
            return web.Response(status=reply.status, headers=headers, body=reply.body)
        response = web.StreamResponse(status=reply.status, headers=headers)
        response.enable_chunked_encoding()
        await response.prepare(request)
        for step in reply.steps:
            if isinstance(step, (Cut, Reset)):
                self._break(request, reset=isinstance(step, Reset))
                return response
            await self._take(step, response)
        await response.write_eof()
        return response

    async def _take(self, step: Step, response: web.StreamResponse) -> None:
        if isinstance(step, Send):
            await response.write(step.data)
            # Two pieces in one turn of the loop could leave in one packet.
            await asyncio.sleep(0)
        elif isinstance(step, Pause):
            await asyncio.sleep(step.seconds)
        elif isinstance(step, Wait):
            await asyncio.to_thread(step.event.wait, _WAIT)
        elif isinstance(step, Stall) and self._stopping is not None:
            await self._stopping.wait()

    @staticmethod
    def _break(request: web.Request, *, reset: bool) -> None:
        transport = request.transport
        if transport is None:
            return
        if reset:
            linger = partial(transport.get_extra_info("socket").setsockopt, 1, 13)
            with contextlib.suppress(OSError):
                linger(b"\x01\x00\x00\x00\x00\x00\x00\x00")
            transport.abort()
        else:
            transport.close()
