"""A server that costs next to nothing: ``python -m tests.benchmarks.speed.server``.

It prints its port, answers by the model's name (`payloads`) and ends when its stdin does.
"""

from __future__ import annotations

import asyncio
import re
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator
from functools import cache

from tests.benchmarks.speed import payloads

_MODEL = re.compile(rb'"model":\s*"([^"]+)"')
_LENGTH = re.compile(rb"content-length:\s*(\d+)", re.IGNORECASE)
_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: "
STREAM = _HEAD + b"text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
END = b"0\r\n\r\n"
# Events that are written before the loop looks at what else there is to do.
TURNS = 64


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


@cache
def _whole(model: str) -> bytes:
    """Return a complete answer, head and body."""
    kind, _, number = model.partition("-")
    if kind == "json":
        body = payloads.completion(int(number))
        return _HEAD + b"application/json\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
    if kind in {"large", "dense"}:
        make = payloads.large_event if kind == "large" else payloads.dense_event
        data = make(int(number))
    else:
        data = b"".join(payloads.events(int(number)))
    size = 1 if kind == "bytes" else payloads.WRITE
    pieces = (data[at : at + size] for at in range(0, len(data), size))
    return STREAM + b"".join(map(_chunk, pieces)) + END


@cache
def _parts(count: int) -> tuple[bytes, ...]:
    return (*map(_chunk, payloads.events(count)), END)


class Pump:
    """Writes events, each by itself, to all of its streams in turn.

    One loop for all of them: with a task for each stream the server takes longer for an event
    than a contestant, which then waits for every one, and is measured at waking up.
    """

    def __init__(self, pause: float) -> None:
        """Write an event every ``pause`` seconds, to whichever stream has its turn."""
        self._pause = pause
        self._streams: deque[tuple[asyncio.Transport, Iterator[bytes]]] = deque()
        self._task: asyncio.Task[None] | None = None

    def add(self, transport: asyncio.Transport, count: int) -> None:
        """Begin a stream at once with its first event; the others come in turns."""
        parts = iter(_parts(count))
        transport.write(STREAM)
        transport.write(next(parts))
        self._streams.append((transport, parts))
        if self._task is None:
            self._task = asyncio.ensure_future(self._run())

    async def _run(self) -> None:
        due = time.monotonic()
        while self._streams:
            due += self._pause
            # Asyncio would round the pause up to a millisecond.
            time.sleep(max(0.0, due - time.monotonic()))  # noqa: ASYNC251 - the loop has nothing else to do until then
            for _ in range(1 if self._pause else TURNS):
                self._step()
            await asyncio.sleep(0)
        self._task = None

    def _step(self) -> None:
        """Write the next event of the stream whose turn it is."""
        if not self._streams:
            return
        transport, parts = stream = self._streams.popleft()
        part = next(parts, None)
        if part is not None and not transport.is_closing():
            transport.write(part)
            self._streams.append(stream)


class Connection(asyncio.Protocol):
    """Answers one request after the other."""

    def __init__(self, pumps: dict[float, Pump]) -> None:
        self._received = b""
        self._pumps = pumps

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

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
        if kind == "held":
            first, *others = _parts(int(rest))
            self._transport.write(STREAM + first)
            later = asyncio.get_running_loop().call_later
            later(payloads.HELD, self._transport.write, b"".join(others))
        elif kind in {"each", "paced"}:
            self._pumps[payloads.PAUSE if kind == "paced" else 0.0].add(self._transport, int(rest))
        else:
            self._transport.write(_whole(model))


async def main() -> None:
    """Serve until stdin ends."""
    loop = asyncio.get_running_loop()
    pumps = {pause: Pump(pause) for pause in (0.0, payloads.PAUSE)}
    server = await loop.create_server(lambda: Connection(pumps), "127.0.0.1", 0, backlog=4096)
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
