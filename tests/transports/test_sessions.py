"""Sessions of the user's own, the environment's proxies, and processes and loops that end."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import gc
import os
import socket
import ssl
import threading
import time
import weakref
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import requests
import trustme
from requests.adapters import HTTPAdapter

from orq_core import (
    APIConnectionError,
    APITimeoutError,
    AsyncOrq,
    ConfigurationError,
    ConnectError,
    Orq,
    RateLimitError,
    ResponseDecodeError,
    Timeout,
    hookimpl,
)
from orq_core._runtime import drive
from orq_core.limits import Limits
from orq_core.testing import LocalRouter, Mode, Stall, chunk, completion, event, reply, stream
from orq_core.transports import HttpRequest, _aiohttp_response, _requests_failure
from orq_core.transports._environment import Proxies, ca_bundle, place_of, reason_of
from orq_core.transports.aiohttp import AiohttpTransport
from orq_core.transports.requests import RequestsTransport
from tests.raw_server import Connection, RawServer, chunked, head

KEY = "fake-key-1234567890"
ASKED: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "hello"}]}


def test_a_requests_session_of_ones_own(
    orq_router: LocalRouter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login someone password hidden\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    with requests.Session() as session:
        session.headers["X-Mine"] = "yes"
        session.auth = ("someone", "hidden")
        session.cookies["session"] = "hidden"
        with Orq(api_key=KEY, server_url=orq_router.url, session=session) as client:
            create = client.router.chat.completions.create
            assert create(**ASKED).text == "hello"
            assert create(stream=True, **ASKED).completion().text == "hello"
            orq_router.always(stream(chunk("a"), Stall()))
            stalled = create(stream=True, options=None, timeout_ms=300, **ASKED)
            assert next(stalled).text == "a"
            with pytest.raises(APITimeoutError):
                next(stalled)
            orq_router.always(reply(completion("hello")))
            assert create(http_headers={"Cookie": "own=1"}, **ASKED).text == "hello"
        assert session.adapters
    assert orq_router.requests[-1].headers["Cookie"] == "own=1"
    headers = orq_router.requests[0].headers
    assert "Cookie" not in headers
    assert headers["X-Mine"] == "yes"
    assert headers["Authorization"] == f"Bearer {KEY}"


@pytest.mark.parametrize("lines", [(), ("Connection: close",)])
def test_a_requests_session_is_held_to_the_limits_of_a_stream(lines: tuple[str, ...]) -> None:
    def script(connection: Connection) -> None:
        kind = "Content-Type: text/event-stream", "Transfer-Encoding: chunked"
        connection.send(head(*kind, *lines) + chunked(event(chunk("hello"))))
        connection.wait_for_client()

    with RawServer(script) as server, requests.Session() as session:
        arguments: dict[str, Any] = {"api_key": KEY, "server_url": server.url, "session": session}
        with Orq(timeout=Timeout(first_event=10, idle=0.2), **arguments) as client:
            opened = client.router.chat.completions.create(stream=True, **ASKED)
            began = time.monotonic()
            with pytest.raises(APITimeoutError, match="idle"):
                opened.completion()
            assert time.monotonic() - began < 5


def test_a_requests_session_that_cannot_connect() -> None:
    with (
        requests.Session() as session,
        Orq(server_url="http://127.0.0.1:9", session=session) as client,
        pytest.raises(ConnectError),
    ):
        client.router.chat.completions.create(retries=None, **ASKED)


def test_a_session_that_raises_for_a_status_leaves_it_to_the_client(
    orq_router: LocalRouter,
) -> None:
    body_sent = {"error": {"message": "slow down"}}
    orq_router.always(reply(body_sent, status=429, headers={"Retry-After": "7"}))

    async def body() -> None:
        async with (
            aiohttp.ClientSession(raise_for_status=True) as session,
            AsyncOrq(api_key=KEY, server_url=orq_router.url, session=session) as client,
        ):
            await client.router.chat.completions.create(retries=None, **ASKED)

    with pytest.raises(RateLimitError, match="slow down") as caught:
        asyncio.run(body())
    assert caught.value.retry_after == 7


class Impatient(HTTPAdapter):
    """Has a time-out of its own."""

    def send(self, *args: Any, **kwargs: Any) -> requests.Response:
        return super().send(*args, **{**kwargs, "timeout": 0.1})


NO_LIMITS = Timeout(connect=None, first_event=None, idle=None, total=None)


@pytest.mark.parametrize("timeout", [NO_LIMITS, Timeout()], ids=["no limits", "the default"])
def test_a_time_out_of_a_sessions_own_is_none_of_the_calls(timeout: Timeout) -> None:
    with (
        RawServer(Connection.wait_for_client) as server,
        requests.Session() as session,
        Orq(server_url=server.url, session=session, timeout=timeout) as client,
    ):
        session.mount("http://", Impatient())
        with pytest.raises(APIConnectionError, match="timed out") as caught:
            client.router.chat.completions.create(retries=None, **ASKED)
    assert not isinstance(caught.value, ConnectError)


def test_an_aiohttp_connectors_own_time_out_is_none_of_the_calls() -> None:
    class Hurried(aiohttp.TCPConnector):
        async def connect(self, *args: Any, **kwargs: Any) -> Any:
            raise asyncio.TimeoutError

    async def body() -> None:
        async with (
            aiohttp.ClientSession(connector=Hurried()) as session,
            AsyncOrq(server_url="http://127.0.0.1:9", session=session) as client,
        ):
            await client.router.chat.completions.create(retries=None, **ASKED)

    with pytest.raises(ConnectError, match="timed out"):
        asyncio.run(body())


@pytest.mark.parametrize("timeout", [NO_LIMITS, Timeout()], ids=["no limits", "the default"])
def test_a_systems_time_out_is_none_of_the_calls(timeout: Timeout) -> None:
    error = TimeoutError(errno.ETIMEDOUT, "Connection timed out")
    http = request("http://x.test", timeout)
    http.limits.enter("first_event")
    for said in (
        _requests_failure.failure(error, http),
        _aiohttp_response.failure(error, http.url, http.limits),
    ):
        assert type(said) is APIConnectionError
        assert str(said) == "the connection to x.test failed: timed out"
    connecting = request("http://x.test", timeout)
    said = _requests_failure.failure(requests.ConnectTimeout(), connecting)
    assert isinstance(said, ConnectError)


@pytest.mark.parametrize("timeout", [Timeout(connect=0.2), Timeout(first_event=0.2)], ids=str)
def test_a_session_of_ones_own_connects_within_the_limit(mode: Mode, timeout: Timeout) -> None:
    async def body() -> None:
        # The queue of those that wait to be accepted is full.
        with (
            socket.create_server(("127.0.0.1", 0), backlog=0) as listener,
            socket.create_connection(listener.getsockname()),
            requests.Session() as session,
        ):
            url = "http://{}:{}".format(*listener.getsockname())
            async with contextlib.AsyncExitStack() as stack:
                own: Any = session
                if mode.name == "async":
                    own = await stack.enter_async_context(aiohttp.ClientSession())
                client = mode.client(server_url=url, session=own, timeout=timeout)
                made = await stack.enter_async_context(client)
                await mode.create(made, retries=None, **ASKED)

    began = time.monotonic()
    with pytest.raises(APITimeoutError) as caught:
        mode.run(body)
    assert caught.value.kind == ("connect" if timeout.connect == 0.2 else "first_event")
    assert time.monotonic() - began < 2


def test_an_aiohttp_session_of_ones_own(orq_router: LocalRouter) -> None:
    async def body() -> None:
        async with (
            aiohttp.ClientSession(headers={"X-Mine": "yes"}) as session,
            AsyncOrq(api_key=KEY, server_url=orq_router.url, session=session) as client,
        ):
            completion = await client.router.chat.completions.create(**ASKED)
            assert completion.text == "hello"
            await client.aclose()
            assert not session.closed

    asyncio.run(body())
    assert orq_router.requests[0].headers["X-Mine"] == "yes"


@pytest.fixture
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.mark.usefixtures("no_proxies")
def test_proxies_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Proxies(None).of("https://x.test") is None
    monkeypatch.setenv("https_proxy", "http://proxy.test:1")
    monkeypatch.setenv("all_proxy", "http://proxy.test:2")
    monkeypatch.setenv("no_proxy", "near.test")
    proxies = Proxies(None)
    assert proxies.of("https://x.test") == "http://proxy.test:1"
    assert proxies.of("http://x.test") == "http://proxy.test:2"
    assert proxies.of("https://near.test") is None
    assert Proxies("http://given.test").of("https://near.test") == "http://given.test"


@pytest.mark.usefixtures("no_proxies")
def test_addresses_that_the_environment_has_asked_straight(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "proxy.test:1")
    monkeypatch.setenv("no_proxy", "near.test, ::1,10.0.0.0/8,fd00::/8,192.168.0.1, /")
    of = Proxies(None).of
    straight = ["10.1.2.3", "[::1]", "[::1]:8080", "[fd00::2]:8080", "192.168.0.1:80", "near.test"]
    assert [of(f"http://{place}/x") for place in straight] == [None] * 6
    through = ["11.1.2.3", "[::2]:8080", "192.168.0.2", "far.test", "10.test"]
    assert [of(f"http://{place}/x") for place in through] == ["http://proxy.test:1"] * 5


UNUSABLE = [
    "socks5://127.0.0.1:1",
    "socks5h://someone:hidden@127.0.0.1:1",
    "ftp://x",
    "http://",
    "https://[::1",
    "http://127.0.0.1:99999",
    "127.0.0.1:port",
    "http://exa mple.test",
    "http://127.0.0.1:1/\x00",
    5,
]


@pytest.mark.parametrize("proxy", UNUSABLE, ids=repr)
def test_a_proxy_that_cannot_be_used(mode: Mode, proxy: Any) -> None:
    async def body() -> None:
        async with mode.client(api_key=KEY, server_url="http://far.test", proxy=proxy) as client:
            await mode.create(client, retries=None, **ASKED)

    with pytest.raises(ConfigurationError, match=r"^proxy: .* session=") as caught:
        mode.run(body)
    assert "hidden" not in str(caught.value)
    assert caught.value.__cause__ is caught.value.__context__ is None


@pytest.mark.usefixtures("no_proxies")
@pytest.mark.parametrize("name", ["http_proxy", "HTTP_PROXY", "ALL_PROXY"])
def test_a_proxy_of_the_environment_that_cannot_be_used(
    mode: Mode, name: str, orq_router: LocalRouter, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def body(url: str) -> None:
        async with mode.client(api_key=KEY, server_url=url) as client:
            await mode.create(client, retries=None, **ASKED)

    monkeypatch.setenv(name, "socks5://127.0.0.1:9")
    with pytest.raises(ConfigurationError, match=f"^{name}: .* session="):
        mode.run(lambda: body("http://far.test"))
    # What it is not meant for goes its way.
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    mode.run(lambda: body(orq_router.url))


@pytest.mark.usefixtures("no_proxies")
def test_a_session_of_ones_own_has_its_own_way_to_a_proxy(
    orq_router: LocalRouter, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def body() -> None:
        async with (
            aiohttp.ClientSession() as session,
            AsyncOrq(api_key=KEY, server_url=orq_router.url, session=session) as client,
        ):
            assert (await client.router.chat.completions.create(**ASKED)).text == "hello"

    monkeypatch.setenv("ALL_PROXY", "socks5://127.0.0.1:9")
    asyncio.run(body())


def test_the_environments_bundle(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"):
        monkeypatch.delenv(name, raising=False)
    assert ca_bundle() is None
    monkeypatch.setenv("SSL_CERT_FILE", "/fake/bundle.pem")
    assert ca_bundle() == "/fake/bundle.pem"


def test_a_reason_without_the_backends_text() -> None:
    try:
        try:
            raise OSError(111, "Connection refused")
        except OSError as inner:
            raise ValueError("http://secret@host/?key=secret") from inner
    except ValueError as error:
        assert reason_of(error) == "Connection refused"
    assert reason_of(ValueError("secret")) == "ValueError"
    assert place_of("http://user:secret@host:1/path?q=secret") == "host:1"


@pytest.mark.parametrize("options", [{"verify": "/no/such.pem"}, {"cert": ("/no/a", "/no/b")}])
@pytest.mark.parametrize("kind", [RequestsTransport, AiohttpTransport])
def test_files_that_are_not_there(kind: Any, options: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="there is no file"):
        kind(**options)


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"max_connections": 0}, "max_connections: expected a positive number"),
        ({"max_connections": "x"}, "max_connections: expected a positive number"),
        ({"verify": 0}, "verify: expected .* got int"),
        ({"verify": Path("ca.pem")}, "verify: expected .* got P"),
        ({"cert": 5}, "cert: expected the path"),
        ({"cert": (5, 6)}, "cert: expected the path"),
        ({"session": 5}, "session: expected a .*Session, got int"),
    ],
)
def test_settings_of_another_kind_are_named(
    mode: Mode, options: dict[str, Any], named: str
) -> None:
    async def body() -> None:
        async with mode.client(api_key=KEY, server_url="http://127.0.0.1:9", **options) as client:
            await mode.create(client, **ASKED)

    with pytest.raises(ConfigurationError, match=named):
        mode.run(body)


def test_a_bundle_that_is_none(tmp_path: Path) -> None:
    bundle = tmp_path / "ca.pem"
    bundle.write_text("no certificate")

    async def body() -> None:
        async with AsyncOrq(api_key=KEY, server_url="https://x.test", verify=str(bundle)) as client:
            await client.router.chat.completions.create(**ASKED)

    with pytest.raises(ConfigurationError, match="no certificate"):
        asyncio.run(body())


def test_a_context_of_ones_own() -> None:
    authority = trustme.CA()
    context = ssl.create_default_context()
    authority.configure_trust(context)
    assert AiohttpTransport(verify=context)._tls.context() is context


def request(url: str, timeout: Timeout | None = None) -> HttpRequest:
    return HttpRequest(
        "POST",
        f"{url}/v1/chat/completions",
        {},
        b'{"messages": []}',
        Limits.start(timeout or Timeout()),
    )


def test_an_answer_larger_than_allowed(orq_router: LocalRouter) -> None:
    orq_router.always(reply(b"x" * 100_000))
    blocking = RequestsTransport(max_response_bytes=1000)

    async def body(transport: Any) -> None:
        response = await transport.send(request(orq_router.url))
        try:
            with pytest.raises(ResponseDecodeError, match="1000 bytes"):
                await response.read()
        finally:
            response.close()
            response.close()
            await transport.close()

    drive(body(blocking))
    asyncio.run(body(AiohttpTransport(max_response_bytes=1000)))


def test_a_pool_that_is_full_waits_for_as_long_as_it_may(orq_router: LocalRouter) -> None:
    orq_router.always(stream(chunk("a"), Stall()))

    async def body() -> None:
        transport = AiohttpTransport(max_connections=1)
        first = await transport.send(request(orq_router.url))
        with pytest.raises(APITimeoutError) as caught:
            await transport.send(request(orq_router.url, Timeout(connect=0.1)))
        assert caught.value.kind == "connect"
        first.close()
        await transport.close()

    asyncio.run(body())


def test_sessions_of_another_loop_are_closed_there(orq_router: LocalRouter) -> None:
    transport = AiohttpTransport()
    ready, leave = threading.Event(), threading.Event()

    async def elsewhere() -> None:
        response = await transport.send(request(orq_router.url))
        await response.read()
        response.close()
        ready.set()
        await asyncio.to_thread(leave.wait, 5)

    thread = threading.Thread(target=asyncio.run, args=(elsewhere(),))
    thread.start()
    ready.wait(5)
    (opened,) = transport._open.values()
    asyncio.run(transport.close())
    leave.set()
    thread.join(5)
    assert opened.session.closed


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform has no fork")
@pytest.mark.parametrize("kind", [RequestsTransport, AiohttpTransport])
def test_a_child_leaves_its_parents_pool_alone(
    kind: Any, orq_router: LocalRouter, monkeypatch: pytest.MonkeyPatch
) -> None:
    transport = kind()

    async def exchange() -> None:
        response = await transport.send(request(orq_router.url))
        assert response.status == 200
        await response.read()
        response.close()

    async def body() -> None:
        await exchange()
        monkeypatch.setattr(os, "getpid", lambda: -1)
        await transport.close()
        await exchange()
        assert len(transport._inherited) == 1
        monkeypatch.undo()
        transport._pid = os.getpid()
        await transport.close()
        for each in transport._inherited:
            for opened in getattr(each, "values", list)():
                await opened.close()

    asyncio.run(body()) if kind is AiohttpTransport else drive(body())


def test_a_client_keeps_none_of_the_loops_it_was_used_on(orq_router: LocalRouter) -> None:
    client = AsyncOrq(api_key=KEY, server_url=orq_router.url, discover=False)
    loops: list[weakref.ref[asyncio.AbstractEventLoop]] = []

    async def body(*, last: bool) -> None:
        loops.append(weakref.ref(asyncio.get_running_loop()))
        await client.router.chat.completions.create(**ASKED)
        if last:
            await client.aclose()

    for number in range(3):
        asyncio.run(body(last=number == 2))
    gc.collect()
    assert [loop() for loop in loops] == [None, None, None]


@pytest.mark.parametrize("stream", [False, True])
def test_an_answer_is_freed_without_the_cycle_collector(
    mode: Mode, orq_router: LocalRouter, *, stream: bool
) -> None:
    async def ask(client: Any) -> None:
        answer = await mode.create(client, stream=stream, **ASKED)
        if stream:
            answer = await mode.completion(answer)
        assert answer.text == "hello"

    async def body() -> set[str]:
        async with mode.client(api_key=KEY, server_url=orq_router.url) as client:
            await ask(client)
            gc.collect()
            gc.disable()
            try:
                await ask(client)
                gc.set_debug(gc.DEBUG_SAVEALL)
                gc.collect()
                return {type(each).__module__ for each in gc.garbage}
            finally:
                gc.set_debug(0)
                gc.garbage.clear()
                gc.enable()

    assert not [module for module in mode.run(body) if module.startswith("orq_")]


@pytest.mark.parametrize("name", ["Host", "Connection"])
def test_a_header_that_http_itself_uses_is_sent_as_it_was_given(
    mode: Mode, orq_router: LocalRouter, name: str
) -> None:
    async def body() -> None:
        async with mode.client(api_key=KEY, server_url=orq_router.url) as client:
            for _ in range(2):
                answer = await mode.create(client, http_headers={name: "close"}, **ASKED)
                assert answer.text == "hello"

    mode.run(body)
    assert [each.headers[name] for each in orq_router.requests] == ["close", "close"]


def test_a_header_is_written_as_latin_1(mode: Mode) -> None:
    async def body() -> None:
        async with mode.client(api_key=KEY, server_url=server.url) as client:
            await mode.create(client, http_headers={"X-Name": "caf\xe9"}, **ASKED)

    def answer(connection: Connection) -> None:
        connection.send(head("Content-Length: 14") + b'{"choices":[]}')

    with RawServer(answer) as server:
        mode.run(body)
    assert b"X-Name: caf\xe9\r\n" in server.requests[0]


def test_no_header_says_where_the_body_ends(mode: Mode, orq_router: LocalRouter) -> None:
    async def body() -> None:
        async with mode.client(api_key=KEY, server_url=orq_router.url) as client:
            with pytest.raises(ConfigurationError, match="where the body ends"):
                await mode.create(client, http_headers={"content-length": "3"}, **ASKED)

    mode.run(body)
    assert orq_router.requests == []


@pytest.mark.parametrize("value", ["a\r\nX-Two: b", "a\x00", "a\x7f", "\N{SNOWMAN}", 5])
def test_a_hook_cannot_smuggle_a_header(mode: Mode, orq_router: LocalRouter, value: Any) -> None:
    class Smuggler:
        name = "smuggler"

        @hookimpl
        def orq_prepare_request(self, http: HttpRequest) -> None:
            http.headers["X-One"] = value

    async def body() -> None:
        arguments = {"api_key": KEY, "server_url": orq_router.url, "plugins": [Smuggler()]}
        async with mode.client(**arguments) as client:
            await mode.create(client, retries=None, **ASKED)

    with pytest.raises(ConfigurationError, match="X-One"):
        mode.run(body)
    assert orq_router.requests == []


def test_a_transport_of_its_own_refuses_it_too(orq_router: LocalRouter) -> None:
    http = request(orq_router.url)
    http.headers["X-One"] = "a\r\nX-Two: b"

    async def body() -> None:
        transport = AiohttpTransport()
        with pytest.raises(APIConnectionError):
            await transport.send(http)
        await transport.close()

    asyncio.run(body())
    assert orq_router.requests == []


def test_an_answer_that_is_closed_before_it_began_wakes_its_reader() -> None:
    async def body() -> None:
        loop = asyncio.get_running_loop()
        transport = AiohttpTransport()
        with RawServer(Connection.wait_for_client) as server:
            asking = asyncio.create_task(transport.send(request(server.url)))
            await asyncio.sleep(0.1)
            await transport._open[loop].close()
            with pytest.raises(APIConnectionError):
                await asyncio.wait_for(asking, 2)

    asyncio.run(body())


def test_a_transport_remembers_few_urls(orq_router: LocalRouter) -> None:
    async def body() -> None:
        transport = AiohttpTransport()
        for number in range(70):
            http = request(orq_router.url)
            http.url += f"?tenant={number}"
            response = await transport.send(http)
            assert response.status == 200
            await response.read()
            response.close()
        (here,) = transport._open.values()
        assert 0 < len(here.ways) <= 64
        await transport.close()

    asyncio.run(body())
