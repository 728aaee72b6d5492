"""Where a call goes that never reaches a server, or not by the first way."""

from __future__ import annotations

import contextlib
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any
from unittest import mock

import pytest

from tests.raw_server import RawServer

Place = Callable[[RawServer], AbstractContextManager[str]]
NAME = "twofold.example.test"


def url(text: str) -> Place:
    """Return a place; ``{port}`` in it is the server's, ``{closed}`` one that nobody listens on."""

    @contextlib.contextmanager
    def place(server: RawServer) -> Iterator[str]:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            closed = listener.getsockname()[1]
        yield text.format(port=server.port, closed=closed)

    return place


@contextlib.contextmanager
def hole(port: int, address: str) -> Iterator[None]:
    """Listen with a full queue: Linux lets what comes then wait for ever."""
    if sys.platform != "linux":
        pytest.skip("only Linux lets a connection wait at a full queue")
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with (
        socket.create_server((address, port), family=family, backlog=0) as listener,
        contextlib.ExitStack() as held,
    ):
        for _ in range(4):
            sock = held.enter_context(socket.socket(family))
            sock.setblocking(False)
            sock.connect_ex(listener.getsockname())
        yield


def named(
    *addresses: str, holes: tuple[str, ...] = (), port: str = "{port}", scheme: str = "http"
) -> Place:
    """Return a place whose name has these addresses; those in ``holes`` swallow everything."""

    @contextlib.contextmanager
    def place(server: RawServer) -> Iterator[str]:
        with url(f"{scheme}://{NAME}:{port}")(server) as made, contextlib.ExitStack() as stack:
            for address in holes:
                stack.enter_context(hole(server.port, address))
            stack.enter_context(resolving(lambda at: [_found(each, at) for each in addresses]))
            yield made

    return place


def resolver(answer: Callable[[], Any]) -> Place:
    """Return a place whose name server does this."""

    @contextlib.contextmanager
    def place(server: RawServer) -> Iterator[str]:
        with resolving(lambda _: answer()):
            yield f"http://{NAME}:{server.port}"

    return place


def fails(code: int, text: str) -> Callable[[], Any]:
    def answer() -> Any:
        raise socket.gaierror(code, text)

    return answer


def sleeps(seconds: float) -> Callable[[], Any]:
    def answer() -> Any:
        time.sleep(seconds)
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    return answer


def resolving(answer: Callable[[int], Any]) -> Any:
    real = socket.getaddrinfo

    def getaddrinfo(host: Any, port: Any, *args: Any, **kwargs: Any) -> Any:
        if host in {NAME, NAME.encode()}:
            if kwargs.get("flags", 0) & socket.AI_NUMERICHOST:
                raise socket.gaierror(socket.EAI_NONAME, "not an address")
            return answer(int(port))
        return real(host, port, *args, **kwargs)

    return mock.patch("socket.getaddrinfo", getaddrinfo)


def _found(address: str, port: int) -> tuple[Any, ...]:
    if ":" in address:
        place: tuple[Any, ...] = (address, port, 0, 0)
        return (socket.AF_INET6, socket.SOCK_STREAM, 6, "", place)
    return (socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))
