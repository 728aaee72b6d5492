"""What stands before aiohttp's protocol: heads and bodies in any division."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Sequence
from typing import Any, NamedTuple

import aiohttp
import pytest
from aiohttp.client_proto import ResponseHandler
from aiohttp.http import HttpProcessingError

from orq_core.transports._aiohttp_front import Front
from orq_core.transports._chunked import BadFramingError

HEAD = b"HTTP/1.1 200 OK\r\nX-Name: value\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
CHUNKS = b"5\r\nhello\r\n7;a=b\r\n, world\r\n0\r\nX-Trailer: 1\r\n\r\n"
PACKED = zlib.compress(b"hello, world")


class Wire(asyncio.Transport):
    """A transport that remembers what it was told."""

    def __init__(self) -> None:
        super().__init__()
        self.protocol: Any = None
        self.paused = False
        self.closed = False

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self.protocol = protocol

    def get_protocol(self) -> asyncio.BaseProtocol:
        return self.protocol  # type: ignore[no-any-return]  # as it was set

    def pause_reading(self) -> None:
        self.paused = True

    def resume_reading(self) -> None:
        self.paused = False

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True

    abort = close


class Exchange(NamedTuple):
    """One exchange on such a wire."""

    wire: Wire
    handler: ResponseHandler
    front: Front


def begun() -> Exchange:
    wire = Wire()
    handler = ResponseHandler(asyncio.get_running_loop())
    handler.connection_made(wire)
    front = Front(handler)
    front.expect()
    return Exchange(wire, handler, front)


async def read(exchange: Exchange, pieces: Sequence[bytes], *, lost: Any = False) -> bytes:
    """Send pieces, then lose the connection if told; return the content of the answer."""
    wire, handler, front = exchange
    for piece in pieces:
        wire.protocol.data_received(piece)
    if lost is not False:
        wire.protocol.connection_lost(lost)
    message, content = await asyncio.wait_for(handler.read(), 1)
    while 100 <= message.code < 200:
        front.expect()
        message, content = await handler.read()
    assert message.headers["x-name"] == "value"
    if not front.left:
        body: Any = front.content(message)
        content = body if body is not None else (await handler.read())[1]
    got = b""
    while not content.at_eof():
        got += await asyncio.wait_for(content.readany(), 1)
    return got


ANSWERS = {
    "chunked": CHUNKED + CHUNKS,
    "by length": HEAD + b"Content-Length: 12\r\n\r\nhello, world",
    "after others": b"HTTP/1.1 103 Early Hints\r\nA: b\r\n\r\n" * 2 + CHUNKED + CHUNKS,
    "after line ends": b"\r\n\r\n" + CHUNKED + CHUNKS,
    "line feeds alone": CHUNKED.replace(b"\r\n", b"\n") + CHUNKS,
    "compressed": HEAD
    + b"Content-Encoding: deflate\r\nContent-Length: %d\r\n\r\n%b" % (len(PACKED), PACKED),
}


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
def test_any_division_gives_the_same_body(answer: bytes) -> None:
    async def main() -> None:
        for cut in range(len(answer) + 1):
            exchange = begun()
            assert await read(exchange, [answer[:cut], answer[cut:]]) == b"hello, world"
            assert exchange.wire.protocol is exchange.handler
            assert not exchange.handler.should_close
        single = [answer[at : at + 1] for at in range(len(answer))]
        assert await read(begun(), single) == b"hello, world"

    asyncio.run(main())


@pytest.mark.parametrize("status", [b"204 No Content", b"304 Not Modified"])
def test_some_have_no_body(status: bytes) -> None:
    async def main() -> None:
        exchange = begun()
        assert await read(exchange, [HEAD.replace(b"200 OK", status) + b"\r\n"]) == b""
        assert not exchange.handler.should_close

    asyncio.run(main())


def test_a_body_may_end_with_its_connection() -> None:
    async def main() -> None:
        exchange = begun()
        assert await read(exchange, [HEAD + b"\r\nhello, ", b"world"], lost=None) == b"hello, world"
        assert exchange.handler.should_close
        # The end comes while the body is read.
        wire, handler, front = begun()
        wire.protocol.data_received(HEAD + b"\r\nhello")
        body: Any = front.content((await handler.read())[0])
        assert await body.readany() == b"hello"
        asyncio.get_running_loop().call_soon(lambda: wire.protocol.connection_lost(None))
        assert await body.readany() == b""
        assert body.at_eof()

    asyncio.run(main())


@pytest.mark.parametrize("lost", [None, ConnectionResetError(104, "reset")], ids=str)
@pytest.mark.parametrize("answer", [CHUNKED + CHUNKS[:-2], ANSWERS["by length"][:-1]])
def test_what_has_come_before_the_end_is_not_lost(answer: bytes, lost: Any) -> None:
    async def main() -> None:
        wire, handler, front = begun()
        wire.protocol.data_received(answer)
        wire.protocol.connection_lost(lost)
        body: Any = front.content((await handler.read())[0])
        assert (await body.readany()).startswith(b"hello, worl")
        with pytest.raises(aiohttp.ClientPayloadError):
            await body.readany()
        assert handler.should_close

    asyncio.run(main())


def test_a_connection_that_ends_before_the_head_does() -> None:
    async def main() -> None:
        wire, handler, front = begun()
        wire.protocol.data_received(HEAD)
        wire.protocol.eof_received()
        wire.protocol.connection_lost(None)
        with pytest.raises(aiohttp.ServerDisconnectedError):
            await handler.read()
        front.leave()

    asyncio.run(main())


@pytest.mark.parametrize("answer", [CHUNKED + CHUNKS + b"HTTP", ANSWERS["by length"] + b"HTTP"])
def test_what_follows_a_body_spoils_its_connection(answer: bytes) -> None:
    async def main() -> None:
        exchange = begun()
        assert await read(exchange, [answer]) == b"hello, world"
        assert exchange.handler.should_close

    asyncio.run(main())


def test_broken_framing_ends_the_body() -> None:
    async def main() -> None:
        wire, handler, front = begun()
        wire.protocol.data_received(CHUNKED + b"5\r\nhello\r\n")
        body: Any = front.content((await handler.read())[0])
        assert await body.readany() == b"hello"
        wire.protocol.data_received(b"zz\r\n")
        assert wire.closed
        with pytest.raises(BadFramingError):
            await body.readany()
        wire.protocol.data_received(b"more")
        wire.protocol.connection_lost(None)
        assert isinstance(body.exception(), BadFramingError)

    asyncio.run(main())


@pytest.mark.parametrize("head", [b"no answer\r\n\r\n", HEAD + b"X: " + b"x" * 2**18])
def test_heads_that_aiohttp_refuses(head: bytes) -> None:
    async def main() -> None:
        wire, handler, front = begun()
        wire.protocol.data_received(head)
        with pytest.raises(HttpProcessingError):
            await handler.read()
        front.leave()
        wire.protocol.connection_lost(None)

    asyncio.run(main())


@pytest.mark.parametrize("pieces", [[b"SSH-2.0-fake\r\n"], [b"\r\n", b"HT", b"x" * 2**20]])
def test_what_is_no_http_is_known_at_once(pieces: list[bytes]) -> None:
    async def main() -> None:
        wire, handler, front = begun()
        for piece in pieces:
            wire.protocol.data_received(piece)
        with pytest.raises(HttpProcessingError):
            await asyncio.wait_for(handler.read(), 1)
        assert front.left
        assert wire.closed

    asyncio.run(main())


def test_a_head_that_nobody_looks_at_stops_the_server() -> None:
    async def main() -> None:
        wire, handler, front = begun()
        body = b"x" * 2**20
        wire.protocol.data_received(HEAD + b"Content-Length: %d\r\n\r\n" % len(body))
        size = 0
        while not wire.paused and size < len(body):
            wire.protocol.data_received(body[size : size + 2**16])
            size += 2**16
        assert size <= 2**19
        message, _ = await handler.read()
        content: Any = front.content(message)
        assert len(await content.readany()) == size
        assert not wire.paused
        wire.protocol.data_received(body[size:])
        assert len(await content.readany()) == len(body) - size

    asyncio.run(main())


def test_a_head_longer_than_most_is_aiohttps() -> None:
    async def main() -> None:
        fields = b"".join(b"X-%d: %b\r\n" % (at, b"x" * 60_000) for at in range(5))
        exchange = begun()
        assert await read(exchange, [HEAD + fields, b"Content-Length: 5\r\n\r\nhello"]) == b"hello"
        assert exchange.front.left

    asyncio.run(main())


def test_a_slow_reader_stops_the_server() -> None:
    async def main() -> None:
        wire, handler, front = begun()
        wire.protocol.data_received(CHUNKED)
        body: Any = front.content((await handler.read())[0])
        size = 0
        while not wire.paused:
            wire.protocol.data_received(b"400\r\n" + b"x" * 1024 + b"\r\n")
            size += 1024
        assert 2**17 < size < 2**18
        assert len(await body.readany()) == size
        assert not wire.paused
        wire.protocol.pause_writing()
        wire.protocol.resume_writing()

    asyncio.run(main())
