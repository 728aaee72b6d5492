"""What carries a request: the protocol, and the two backends in modules of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from attrs import define, field

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from orq_core.limits import Limits


@define
class HttpRequest:
    """One HTTP exchange about to happen; ``orq_prepare_request`` hooks may change its headers."""

    method: str
    url: str
    headers: dict[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    limits: Limits = field(repr=False)
    stream: bool = False


class Response(Protocol):
    """An answer whose head has arrived."""

    @property
    def status(self) -> int:
        """The HTTP status code."""
        ...

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers; names are found in any case."""
        ...

    async def read(self) -> bytes:
        """Return the whole remaining body, decoded by its Content-Encoding.

        Raises ResponseDecodeError past the transport's size limit.
        """
        ...

    async def receive(self) -> bytes:
        """Return what has arrived since, waiting for at least one byte; ``b""`` at the end."""
        ...

    def close(self) -> None:
        """Give the connection back at the end of the body, drop it before; never waits."""
        ...


class Releasable(Response, Protocol):
    """An answer that can tell its end from its being left; a transport may do without it."""

    def release(self) -> None:
        """Close after the last event: the end of the body follows it at once, or never."""
        ...


class ByChunk(Response, Protocol):
    """An answer that knows the chunks of its body; a blocking transport may do without it."""

    def singles(self) -> Iterator[bytes] | None:
        """Return what yields the content of chunks that arrive alone; None if there are none.

        It ends where anything else arrives, and the next `receive` returns or raises that.
        """
        ...


class Transport(Protocol):
    """Sends requests; one blocking or one asyncio backend.

    `send` raises ConnectError while nothing has been sent, APIConnectionError afterwards, and
    APITimeoutError by ``http.limits``. A blocking transport's methods never suspend.
    """

    @property
    def is_async(self) -> bool:
        """Whether this transport needs a running event loop."""
        ...

    async def send(self, http: HttpRequest) -> Response:
        """Send a request and return once the answer's head is there."""
        ...

    async def close(self) -> None:
        """Release every connection; idempotent."""
        ...
