"""A request written straight onto a connection of aiohttp's pool.

A session adds to each request what is not wanted here (redirects, cookies, ``.netrc``, a task that
writes the body) and takes longer for it than for all the rest of a call. What it does on the wire
is done the same way: the pool and the parser are aiohttp's, and so is the reader of a whole answer.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import aiohttp
from aiohttp.streams import EMPTY_PAYLOAD
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from orq_core.transports._aiohttp_front import Front, parse_answer
from orq_core.transports._framing import SWITCHED

if TYPE_CHECKING:
    import asyncio
    import ssl

    from orq_core.transports import HttpRequest
    from orq_core.transports._aiohttp_body import Body

# Of a larger body a server may refuse the rest, which only a session's writer can notice.
LARGE = 2**20
# With these aiohttp's own requests work in another way.
_SPECIAL = frozenset(
    {"host", "connection", "content-length", "transfer-encoding", "expect", "upgrade"}
)
_NO_HEADERS: CIMultiDictProxy[str] = CIMultiDictProxy(CIMultiDict())
_UNSENDABLE = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


def is_plain(http: HttpRequest) -> bool:
    """Tell whether a request needs nothing but its head and body written."""
    if len(http.body) >= LARGE or http.method != "POST":
        return False
    return _SPECIAL.isdisjoint(map(str.lower, http.headers))


class Way:
    """What all requests to one URL have in common on one event loop."""

    def __init__(
        self,
        url: str,
        session: aiohttp.ClientSession,
        ssl: ssl.SSLContext | bool,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        """Let aiohttp read the URL."""
        self.asked = aiohttp.ClientRequest("POST", URL(url), ssl=ssl, session=session, loop=loop)
        self.key = self.asked.connection_key
        target, host = self.asked.url.raw_path_qs, self.asked.headers["Host"]
        self._beginning = f"POST {target} HTTP/1.1\r\nHost: {host}\r\n"

    def written(self, http: HttpRequest) -> bytes:
        """Return the bytes of a request; raises ValueError for a header that can't be sent."""
        headers = http.headers
        flat = " ".join([*headers, *headers.values()])
        if not flat.isprintable() and _UNSENDABLE.search(flat):
            raise ValueError("a header has a line break or control character")
        lines = "".join([name + ": " + value + "\r\n" for name, value in headers.items()])
        head = f"{self._beginning}{lines}Content-Length: {len(http.body)}\r\n\r\n"
        # As the blocking transport writes it; aiohttp's own way is UTF-8.
        return head.encode("latin-1") + http.body


class Straight:
    """An answer on its connection, with the names of `aiohttp.ClientResponse`."""

    __slots__ = (
        "_begun",
        "_connection",
        "_front",
        "_transport",
        "content",
        "headers",
        "status",
    )

    def __init__(self, connection: Any) -> None:
        """Own a connection until the answer is closed or over."""
        self.status = 0
        self.headers = _NO_HEADERS
        self.content: aiohttp.StreamReader | Body = EMPTY_PAYLOAD
        self._begun = False
        self._connection = connection
        self._transport: Any = None
        self._front: Front | None = None

    async def ask(self, written: bytes, *, events: bool) -> None:
        """Send a request and read the head of its answer; ``events``: a stream of them is expected.

        For a whole answer, changing protocols takes longer than aiohttp takes for the body.
        """
        protocol = self._connection.protocol
        self._transport = protocol.transport
        front = self._front = Front(protocol) if events else None
        if front is not None:
            front.expect()
        else:
            parse_answer(protocol, with_body=True)
        self._transport.write(written)
        while True:
            message, content = await protocol.read()
            if not 100 <= message.code < 200 or message.code == SWITCHED:
                break
            if front is not None and not front.left:
                front.expect()
        if message.code == SWITCHED:
            # Nothing can be read or reused, and aiohttp would wait for who takes it over.
            self.status, self.headers = message.code, message.headers
            return
        if front is not None and not front.left:
            body = front.content(message)
            message, content = (message, body) if body is not None else await protocol.read()
        self.status, self.headers, self.content = message.code, message.headers, content
        self._begun = True
        content.on_eof(self._over)

    def _over(self) -> None:
        protocol = self._connection.protocol
        if protocol is not None and not protocol.upgraded:
            self._transport = None
            self._connection.release()

    def release(self) -> None:
        """Give the connection back; one whose answer has not begun is dropped."""
        if self._begun:
            self._transport = None
            self._connection.release()
        else:
            self.close()

    def close(self) -> None:
        """Drop the connection and wake who reads from it."""
        closed = aiohttp.ClientConnectionError("the connection was closed")
        protocol = self._connection.protocol
        if self._front is not None:
            self._front.leave()
            self._front = None
        if self._begun and self.content.exception() is None:
            self.content.set_exception(closed)
        elif not self._begun and protocol is not None:
            protocol.set_exception(closed)
        self._connection.close()
        transport, self._transport = self._transport, None
        if transport is not None:
            # One that broke is let go by its protocol, and TLS of Python 3.10 warns of it.
            transport.close()
