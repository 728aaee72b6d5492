"""A server whose answers say whose they are, and counts of what a process holds."""

from __future__ import annotations

import contextlib
import gc
import json
import os
import random
import threading
import time
from collections.abc import Callable
from typing import Any

from orq_core.testing import DONE, chunk, completion, event
from tests.raw_server import LAST_CHUNK, Connection, RawServer, chunked, head


def asking(nonce: str, **plan: Any) -> dict[str, Any]:
    """Return arguments of ``create``: the prompt tells the server what to do.

    ``events``: how many of a stream; ``hold``: after how many it waits for the client to leave;
    ``pause``: seconds between two pieces of an answer, which are cut at random.
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
    if hold is not None:
        connection.send(headers + b"".join(map(chunked, sent[:hold])))
        connection.wait_for_client()
        raise OSError("the client has left")
    end = [event(chunk(finish_reason="stop")), DONE]
    _send(connection, headers + b"".join(map(chunked, sent + end)) + LAST_CHUNK, plan)


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
    return len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0


def resident() -> int:
    """Return the bytes of memory in use, 0 where that can't be told."""
    with contextlib.suppress(OSError), open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return 0


def settled(what: Callable[[], int], wanted: int, seconds: float = 3.0) -> int:
    """Return what ``what`` comes to, waiting for it to be as wanted."""
    latest = time.monotonic() + seconds
    while (found := what()) > wanted and time.monotonic() < latest:
        time.sleep(0.005)
    return found


def of_servers() -> int:
    """Count the threads that hold a server's end of a connection."""
    return sum("_serve" in each.name for each in threading.enumerate())


def objects() -> int:
    gc.collect()
    return len(gc.get_objects())
