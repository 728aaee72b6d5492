"""A server whose answers say whose they are, and counts of what a process holds."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import os
import random
import time
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

from orq_core import Timeout
from orq_core.testing import DONE, Mode, chunk, completion, event
from orq_plugins import Caching, Logging, Redaction, Retries
from tests.raw_server import LAST_CHUNK, Connection, RawServer, chunked, head

STACKS = ("bare", "four")
LIMITS = Timeout(connect=5, first_event=5, idle=5, total=10)
DROPPED = "a stream was dropped"


def arguments(server: RawServer, stack: str = "bare") -> dict[str, Any]:
    plugins: list[Any] = []
    if stack == "four":
        plugins = [Redaction(), Logging(), Caching(policy="all"), Retries(policy=0)]
    return {
        "server_url": server.url,
        "timeout": LIMITS,
        "plugins": plugins,
        "discover": False,
        "api_key": "fake-key-1234567890",
    }


def asking(nonce: str, **plan: Any) -> dict[str, Any]:
    """Return arguments of ``create``: the prompt tells the server what to do.

    ``events``: how many of a stream; ``hold``: after how many it waits for the client to leave;
    ``pause``: seconds between two pieces of an answer, which are cut at random; ``apart``: seconds
    between two events of a stream.
    """
    content = json.dumps({"nonce": nonce, **plan})
    return {"model": "fake/model", "messages": [{"role": "user", "content": content}]}


def text_of(nonce: str, events: int = 3) -> str:
    return f"{nonce}." * events


def serve(connection: Connection) -> None:
    """Answer with the request's own nonce, and go on with the connection."""
    connection.keep = True  # type: ignore[attr-defined]
    body = json.loads(connection.request.partition(b"\r\n\r\n")[2])
    plan = json.loads(body["messages"][-1]["content"])
    nonce, events, hold = plan["nonce"], plan.get("events", 3), plan.get("hold")
    if not body.get("stream"):
        data = json.dumps(completion(text_of(nonce, events))).encode()
        answer = head("Content-Type: application/json", f"Content-Length: {len(data)}") + data
        _send(connection, answer, plan)
        return
    sent = [event(chunk(f"{nonce}.")) for _ in range(events)]
    headers = head("Content-Type: text/event-stream", "Transfer-Encoding: chunked")
    end = [event(chunk(finish_reason="stop")), DONE]
    pieces = [headers, *map(chunked, sent[:hold] if hold is not None else sent + end)]
    if hold is None:
        pieces.append(LAST_CHUNK)
    if apart := plan.get("apart"):
        for piece in pieces:
            connection.send(piece)
            time.sleep(apart)
    else:
        _send(connection, b"".join(pieces), plan)
    if hold is not None:
        connection.wait_for_client()
        raise OSError("the client has left")


def _send(connection: Connection, data: bytes, plan: dict[str, Any]) -> None:
    if not (pause := plan.get("pause")):
        connection.send(data)
        return
    chance = random.Random(plan["nonce"])
    cuts = sorted(chance.randrange(len(data)) for _ in range(3))
    for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True):
        connection.send(data[start:end])
        time.sleep(pause)


def forget(server: RawServer) -> None:
    """Let go of what the server remembers of its clients."""
    server.requests.clear()
    server._threads[:] = [each for each in server._threads if each.is_alive()]
    server._sockets[:] = [each for each in server._sockets if each.fileno() >= 0]


def descriptors() -> int:
    return sum(1 for _ in Path("/proc/self/fd").glob("*"))


def resident() -> int:
    """Return the bytes of memory in use, 0 where that can't be told."""
    with contextlib.suppress(OSError):
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return 0


def settled(what: Callable[[], int], wanted: int, seconds: float = 3.0) -> int:
    """Return what ``what`` comes to, waiting for it to be as wanted."""
    latest = time.monotonic() + seconds
    while (found := what()) > wanted and time.monotonic() < latest:
        time.sleep(0.005)
    return found


def objects() -> int:
    gc.collect()
    return len(gc.get_objects())


async def fail_in(mode: Mode, stream: Any, error: type[BaseException]) -> None:
    if mode.is_async:
        async with stream:
            raise error
    with stream:
        raise error


@contextlib.contextmanager
def nothing_left(server: RawServer) -> Iterator[None]:
    gc.collect()
    before = descriptors()
    yield
    gc.collect()
    assert settled(descriptors, before) <= before
    forget(server)


def run(mode: Mode, body: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run a body, at whose end there may be no other task."""

    async def watched() -> None:
        await body()
        if mode.is_async:
            await asyncio.sleep(0)
            others = asyncio.all_tasks() - {asyncio.current_task()}
            assert not others, others

    mode.run(watched)


async def asked(mode: Mode, client: Any, nonce: str, **plan: Any) -> None:
    """Make an ordinary call and see that the answer is its own."""
    answer = await mode.create(client, **asking(nonce, **plan))
    assert answer.text == text_of(nonce)


async def read(mode: Mode, stream: Any, events: int) -> None:
    for _ in range(events):
        _ = await stream.__anext__() if mode.is_async else next(stream)
