"""Proxies on the way to TLS: each gets its own secret, and no log any; TLS within TLS."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import select
import socket
import sys
import threading
import time
from collections.abc import AsyncGenerator, Generator
from typing import Any

import pytest

from orq_core import APIConnectionError, APITimeoutError, StreamInterruptedError, Timeout
from orq_core.testing import Mode, chunk, event
from tests.faults.certificates import Certificates
from tests.faults.scripts import good
from tests.raw_server import Connection, RawServer, Script, chunked, head

KEY = "fake-canary-key-5a1f9c77e2"
PASSWORD = "hidden-word"
EVENT = event(chunk("hello", role="assistant"))
PAUSE = 0.2  # seconds
ASK: dict[str, Any] = {"model": "fake/model", "messages": [{"role": "user", "content": "hello"}]}


def tunnel(certificates: Certificates) -> Script:
    """Be the proxy for one request, and then the server at its far end."""

    def script(connection: Connection) -> None:
        connection.send(head(status="200 Connection established"))
        with certificates.server("good").wrap_socket(connection.sock, server_side=True) as far:
            behind = Connection(far, connection.server)
            behind.read_request()
            good(behind)

    return script


@pytest.mark.parametrize("environment", [False, True])
def test_each_gets_its_own_secret(
    mode: Mode,
    environment: bool,
    certificates: Certificates,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def body() -> None:
        async with mode.client(**given) as client:
            assert (await mode.create(client, **ASK)).text == "hello"
            assert PASSWORD not in repr(client)

    with RawServer(tunnel(certificates)) as server, contextlib.ExitStack() as stack:
        for name in (None, "orq", "urllib3", "requests", "aiohttp", "asyncio"):
            stack.enter_context(caplog.at_level(logging.DEBUG, logger=name))
        proxy = f"http://someone:{PASSWORD}@127.0.0.1:{server.port}"
        given: dict[str, Any] = {
            "api_key": KEY,
            "server_url": "https://localhost:9",
            "verify": str(certificates.bundle),
            "discover": False,
        }
        for name in ("no_proxy", "NO_PROXY"):
            monkeypatch.delenv(name, raising=False)
        if environment:
            monkeypatch.setenv("https_proxy", proxy)
        else:
            given["proxy"] = proxy
        mode.run(body)
        asked, sent = server.requests
    assert asked.startswith(b"CONNECT localhost:9 ")
    assert b"proxy-authorization: basic" in asked.lower()
    assert KEY.encode() not in asked
    assert b"proxy-authorization" not in sent.lower()
    assert f"Bearer {KEY}".encode() in sent
    logged = caplog.text + "".join(repr(vars(each)) for each in caplog.records)
    assert PASSWORD not in logged
    assert KEY not in logged


def relay(connection: Connection) -> None:
    """Be a proxy that passes on what comes from either side."""
    port = int(connection.request.split()[1].rpartition(b":")[2])
    connection.send(head(status="200 Connection established"))
    near: Any = connection.sock
    with socket.create_connection(("127.0.0.1", port), timeout=10) as far:
        while True:
            ready = [near] if near.pending() else select.select([near, far], [], [], 10)[0]
            for each in ready:
                data = each.recv(65536)
                if not data:
                    return
                (far if each is near else near).sendall(data)


def begun(connection: Connection) -> None:
    """Send one event and nothing more."""
    connection.send(head("Content-Type: text/event-stream", "Transfer-Encoding: chunked"))
    connection.send(chunked(EVENT))
    connection.wait_for_client()


@contextlib.contextmanager
def nested(
    mode: Mode, certificates: Certificates, script: Script
) -> Generator[dict[str, Any], None, None]:
    """Give the arguments of a client whose server and whose proxy speak TLS."""
    if mode.is_async and sys.version_info < (3, 11):
        pytest.skip("asyncio has no TLS within TLS before Python 3.11")
    context = certificates.server("good")
    with RawServer(script, context) as far, RawServer(relay, context) as near:
        yield {
            "api_key": KEY,
            "server_url": far.url,
            "proxy": near.url,
            "verify": str(certificates.bundle),
            "discover": False,
            "retries": None,
        }


@contextlib.asynccontextmanager
async def closed_soon(mode: Mode, closable: Any) -> AsyncGenerator[None, None]:
    """Close a stream or a client in another thread or task, while it is waited for."""
    if mode.is_async:

        async def close() -> None:
            await asyncio.sleep(PAUSE)
            await closable.aclose()

        closing = asyncio.create_task(close())
        yield
        await closing
    else:
        timer = threading.Timer(PAUSE, closable.close)
        timer.start()
        yield
        timer.join()


def test_tls_within_tls(mode: Mode, certificates: Certificates) -> None:
    async def body() -> None:
        async with mode.client(**given) as client:
            for _ in range(2):
                assert (await mode.create(client, **ASK)).text == "hello"

    def script(connection: Any) -> None:
        connection.keep = True
        good(connection)

    with nested(mode, certificates, script) as given:
        mode.run(body)


def test_tls_within_tls_ends_in_time(mode: Mode, certificates: Certificates) -> None:
    async def body() -> None:
        async with mode.client(timeout=Timeout(idle=0.3), **given) as client:
            stream = await mode.create(client, stream=True, **ASK)
            with pytest.raises(APITimeoutError, match=r"timeout\.idle"):
                await mode.completion(stream)

    with nested(mode, certificates, begun) as given:
        mode.run(body)


def test_closing_wakes_who_reads_tls_within_tls(mode: Mode, certificates: Certificates) -> None:
    async def body() -> None:
        async with mode.client(**given) as client:
            stream = await mode.create(client, stream=True, **ASK)
            began = time.monotonic()
            async with closed_soon(mode, stream):
                with pytest.raises(StreamInterruptedError):
                    await mode.completion(stream)
            assert time.monotonic() - began < 5

    with nested(mode, certificates, begun) as given:
        mode.run(body)


def test_closing_a_client_wakes_who_waits_behind_it(mode: Mode, certificates: Certificates) -> None:
    async def body() -> None:
        async with mode.client(**given) as client:
            began = time.monotonic()
            async with closed_soon(mode, client):
                with pytest.raises(APIConnectionError):
                    await mode.create(client, **ASK)
            assert time.monotonic() - began < 5

    with nested(mode, certificates, Connection.wait_for_client) as given:
        mode.run(body)
