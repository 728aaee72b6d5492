"""A router on this machine: real sockets, scripted answers, and a record of what it was asked."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import threading
from collections import deque
from typing import TYPE_CHECKING

from aiohttp import web

from orq_core.testing.echo_model import echo
from orq_core.testing.received import Received
from orq_core.testing.replies import Reply
from orq_core.testing.steps import PATIENCE, Cut, Pause, Send, Stall, Wait

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from types import TracebackType

    from typing_extensions import Self

    from orq_core.testing.steps import Step

_START = 10.0
_STOP = 0.1
_LOOK = 0.002  # seconds between two looks at a thread's event
_NO_SUCH_PATH = {
    "message": "this router answers POST …/chat/completions",
    "type": "invalid_request_error",
    "code": "not_found",
}


class _BrokenError(Exception):
    """The connection is to end here."""

    def __init__(self, *, reset: bool) -> None:
        super().__init__()
        self.reset = reset


class LocalRouter:
    """Answers chat completions on any path that ends in ``/chat/completions``.

    Without other instructions it echoes the last user message, streamed or not, as the request
    asks. `enqueue` and `always` say what to answer instead. ``requests`` records what arrived,
    ``disconnected`` counts clients that left before their answer was over.

    A context manager; it runs in a thread of its own and is safe to use from any other.
    """

    def __init__(
        self,
        port: int = 0,
        answer: Callable[[Received], Reply] = echo,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        """Listen on loopback, at a free port unless one is given; ``sleep`` makes the pauses."""
        self.requests: list[Received] = []
        self.disconnected = 0
        self.port = port
        self._answer: Callable[[Received], Reply] = answer
        self._sleep = sleep
        self._queue: deque[Reply] = deque()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._server: web.Server | None = None
        self._stopping = threading.Event()
        self._stop: asyncio.Event | None = None
        self._started = threading.Event()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="local router", daemon=True)

    @property
    def url(self) -> str:
        """What to give a client as ``server_url``."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def open_connections(self) -> int:
        """How many connections clients hold at this moment, idle ones included."""
        return 0 if self._server is None else len(self._server.connections)

    def enqueue(self, *replies: Reply) -> None:
        """Answer the next requests with these, one each."""
        self._queue.extend(replies)

    def always(self, answer: Reply | Callable[[Received], Reply]) -> None:
        """Answer every request this way once the queue is empty."""
        if isinstance(answer, Reply):
            reply = answer
            self._answer = lambda _: reply
        else:
            self._answer = answer

    def start(self) -> None:
        """Listen; returns once requests are taken. Raises OSError when the port is in use."""
        self._thread.start()
        if not self._started.wait(_START):
            raise RuntimeError("the local router did not start")
        if self._failure is not None:
            raise self._failure

    def stop(self) -> None:
        """Drop every connection and end the thread; idempotent."""
        self._stopping.set()
        if self._loop is not None and self._stop is not None and self._thread.is_alive():
            with contextlib.suppress(RuntimeError):  # its loop has just been closed
                self._loop.call_soon_threadsafe(self._stop.set)
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
            asyncio.run(self._serve())
        except BaseException as error:
            if self._started.is_set():
                raise
            self._failure = error
            self._started.set()

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        application = web.Application(client_max_size=2**30)
        application.router.add_route("*", "/{path:.*}", self._handle)
        runner = web.AppRunner(
            application,
            access_log=None,
            handler_cancellation=True,  # else nobody notices that the client has left
            shutdown_timeout=_STOP,
        )
        await runner.setup()
        try:
            self._server = runner.server
            assert self._server is not None
            server = await self._loop.create_server(self._server, "127.0.0.1", self.port)
            self.port = server.sockets[0].getsockname()[1]
            self._started.set()
            await self._stop.wait()
            # Asyncio forgets a connection that it has accepted and not set up when its server
            # closes, and leaves it open: python/cpython#109564.
            with contextlib.suppress(NotImplementedError):
                self._loop.remove_reader(server.sockets[0])
            await asyncio.sleep(0)
            server.close()
        finally:
            await runner.cleanup()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        received = Received(
            request.method,
            request.path_qs,
            request.headers,
            await request.read(),
        )
        self.requests.append(received)
        if request.method != "POST" or not request.path.endswith("/chat/completions"):
            return web.json_response({"error": _NO_SUCH_PATH}, status=404)
        reply = self._queue.popleft() if self._queue else self._answer(received)
        response = web.StreamResponse(status=reply.status, headers=reply.headers)
        try:
            if reply.is_whole:
                return web.Response(status=reply.status, headers=reply.headers, body=reply.body)
            await self._send(request, response, reply)
        except _BrokenError as broken:
            _break(request, reset=broken.reset)
        except (ConnectionError, asyncio.CancelledError) as error:
            if not self._stopping.is_set():
                self.disconnected += 1
            if isinstance(error, asyncio.CancelledError):
                raise
        return response

    async def _send(self, request: web.Request, response: web.StreamResponse, reply: Reply) -> None:
        response.enable_chunked_encoding()
        for step in reply.steps:
            if isinstance(step, Send):
                if not response.prepared:
                    await response.prepare(request)
                await response.write(step.data)
                # Two pieces in one turn of the loop could leave in one packet.
                await asyncio.sleep(0)
            else:
                await self._take(step)
        if not response.prepared:
            await response.prepare(request)
        await response.write_eof()

    async def _take(self, step: Step) -> None:
        if isinstance(step, Pause):
            await self._sleep(step.seconds)
        elif isinstance(step, Wait):
            await self._wait(step.event)
        else:
            if isinstance(step, Stall) and self._stop is not None:
                await self._stop.wait()
            raise _BrokenError(reset=not isinstance(step, Cut))

    async def _wait(self, event: threading.Event) -> None:
        # A thread that waits for the event would outlive the router, and hold the interpreter.
        loop = asyncio.get_running_loop()
        latest = loop.time() + PATIENCE
        while not event.is_set():
            if self._stopping.is_set() or loop.time() > latest:
                raise _BrokenError(reset=True)
            await asyncio.sleep(_LOOK)


def _break(request: web.Request, *, reset: bool) -> None:
    transport = request.transport
    if transport is None:
        return
    if reset:
        linger = struct.pack("ii", 1, 0)
        with contextlib.suppress(OSError):
            connection = transport.get_extra_info("socket")
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        transport.abort()
    else:
        transport.close()
