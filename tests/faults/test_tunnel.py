"""A proxy with a password on the way to TLS: each gets its own secret, and no log any."""

from __future__ import annotations

import contextlib
import logging
from typing import Any

import pytest

from orq_core.testing import Mode
from tests.faults.certificates import Certificates
from tests.faults.scripts import good
from tests.raw_server import Connection, RawServer, Script, head

KEY = "fake-canary-key-5a1f9c77e2"
PASSWORD = "hidden-word"
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
