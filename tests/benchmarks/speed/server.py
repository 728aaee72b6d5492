"""A server that costs next to nothing: ``python -m tests.benchmarks.speed.server``.

It prints its port, answers by the model's name (`payloads`) and ends when its stdin does.
"""

from __future__ import annotations

import asyncio
import re
import sys
import threading
from functools import cache

from tests.benchmarks.speed import payloads

_MODEL = re.compile(rb'"model":\s*"([^"]+)"')
_LENGTH = re.compile(rb"content-length:\s*(\d+)", re.IGNORECASE)
_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: "
STREAM = _HEAD + b"text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
END = b"0\r\n\r\n"


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


@cache
def _whole(model: str) -> bytes:
    """Return a complete answer, head and body."""
    kind, _, number = model.partition("-")
    if kind == "json":
        body = payloads.completion(int(number))
        return _HEAD + b"application/json\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
    if kind == "large":
        data = payloads.large_event(int(number))
    else:
        data = b"".join(payloads.events(int(number)))
    size = 1 if kind == "bytes" else payloads.WRITE
    pieces = (data[at : at + size] for at in range(0, len(data), size))
    return STREAM + b"".join(map(_chunk, pieces)) + END


@cache
def _parts(count: int) -> tuple[bytes, ...]:
    return tuple(map(_chunk, payloads.events(count)))


class Connection(asyncio.Protocol):
    """Answers one request after the other."""

    def __init__(self) -> None:
        self._received = b""
        self._tasks: set[asyncio.Task[None]] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        for task in self._tasks:
            task.cancel()

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, found, rest = self._received.partition(b"\r\n\r\n")
        length = _LENGTH.search(head)
        if not found or len(rest) < (size := int(length[1]) if length else 0):
            return
        self._received = rest[size:]
        model = _MODEL.search(rest[:size])
        self._answer(model[1].decode() if model else "json-1")

    def _answer(self, model: str) -> None:
        kind, _, rest = model.partition("-")
        if kind in {"each", "paced", "open"}:
            count, _, pause = rest.partition("-")
            task = asyncio.ensure_future(self._one_by_one(int(count), float(pause or 0)))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        else:
            self._transport.write(_whole(model))

    async def _one_by_one(self, count: int, pause: float) -> None:
        """Write each event by itself; at a pace, by the clock, or as fast as the loop goes."""
        loop = asyncio.get_running_loop()
        due = loop.time()
        self._transport.write(STREAM)
        for part in _parts(count):
            due += pause
            await asyncio.sleep(max(0.0, due - loop.time()) if pause else 0)
            self._transport.write(part)
        self._transport.write(END)


async def main() -> None:
    """Serve until stdin ends."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Connection, "127.0.0.1", 0, backlog=4096)
    print(server.sockets[0].getsockname()[1], flush=True)
    ended = asyncio.Event()

    def wait() -> None:
        sys.stdin.read()
        loop.call_soon_threadsafe(ended.set)

    threading.Thread(target=wait, daemon=True).start()
    await ended.wait()
    server.close()


if __name__ == "__main__":
    asyncio.run(main())
