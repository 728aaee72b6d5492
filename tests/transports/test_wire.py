"""What servers do on the wire, and what a careful user sees, in both modes."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import json
import socket
import ssl
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trustme
from requests.structures import CaseInsensitiveDict

from orq_core import (
    APIConnectionError,
    APIStatusError,
    APITimeoutError,
    ConfigurationError,
    ConnectError,
    OrqError,
    ResponseDecodeError,
    StreamInterruptedError,
    StreamTruncatedError,
    Timeout,
)
from orq_core.testing import DONE, LocalRouter, Mode, chunk, completion, event
from tests.raw_server import LAST_CHUNK, Connection, RawServer, chunked, head

REQUEST: dict[str, Any] = {"model": "fake/model", "messages": []}
BODY = json.dumps(completion("hello")).encode()
JSON_HEAD = head("Content-Type: application/json", f"Content-Length: {len(BODY)}")
SSE_HEAD = head("Content-Type: text/event-stream", "Transfer-Encoding: chunked")
ONE = event(chunk("one", role="assistant"))
END = event(chunk(finish_reason="stop"))
KEY = "fake-key-1234567890"


def ask(mode: Mode, url: str, *, stream: bool = False, **client: Any) -> Any:
    """Return the answer's text, or raise what the caller gets."""

    async def body() -> str:
        async with mode.client(server_url=url, retries=None, **client) as made:
            answer = await mode.create(made, request=REQUEST, stream=stream)
            if stream:
                answer = await mode.completion(answer)
            return answer.text

    return mode.run(body)


def answering(connection: Connection) -> None:
    connection.keep = True  # type: ignore[attr-defined]
    connection.send(JSON_HEAD + BODY)


def streaming(*pieces: bytes) -> Callable[[Connection], None]:
    def script(connection: Connection) -> None:
        connection.send(SSE_HEAD)
        for piece in pieces:
            connection.send(chunked(piece))
            time.sleep(0.005)
        connection.send(LAST_CHUNK)

    return script


def test_connections_are_used_again(mode: Mode) -> None:
    async def body() -> None:
        async with mode.client(server_url=server.url) as client:
            for _ in range(3):
                assert (await mode.create(client, request=REQUEST)).text == "hello"

    with RawServer(answering) as server:
        mode.run(body)
        assert server.connections == 1


def test_a_stream_that_ended_gives_its_connection_back(mode: Mode) -> None:
    def script(connection: Connection) -> None:
        connection.keep = True  # type: ignore[attr-defined]
        connection.send(SSE_HEAD + chunked(ONE + END + DONE) + LAST_CHUNK)

    async def body() -> None:
        async with mode.client(server_url=server.url) as client:
            for _ in range(3):
                stream = await mode.create(client, request=REQUEST, stream=True)
                assert (await mode.completion(stream)).text == "one"

    with RawServer(script) as server:
        mode.run(body)
        assert server.connections == 1


def test_events_arrive_when_they_are_sent(mode: Mode) -> None:
    gate = threading.Event()

    def script(connection: Connection) -> None:
        connection.send(SSE_HEAD + chunked(ONE))
        gate.wait(5)
        connection.send(chunked(END + DONE) + LAST_CHUNK)

    async def body() -> None:
        async with mode.client(server_url=server.url) as client:
            stream = await mode.create(client, request=REQUEST, stream=True)
            texts = []
            async for item in mode.iterate(stream):
                texts.append(item.text)
                gate.set()
            assert texts == ["one", ""]

    with RawServer(script) as server:
        mode.run(body)


def test_half_an_http_chunk_does_not_hold_its_events_back(mode: Mode) -> None:
    gate = threading.Event()
    data = ONE + END + DONE

    def script(connection: Connection) -> None:
        whole = chunked(data)
        cut = len(whole) - len(END + DONE) - 2
        connection.send(SSE_HEAD + whole[:cut])
        gate.wait(5)
        connection.send(whole[cut:] + LAST_CHUNK)

    async def body() -> None:
        async with mode.client(server_url=server.url) as client:
            stream = await mode.create(client, request=REQUEST, stream=True)
            async for _ in mode.iterate(stream):
                gate.set()

    with RawServer(script) as server:
        mode.run(body)


@pytest.mark.parametrize("stream", [False, True])
def test_a_body_that_ends_with_its_connection(mode: Mode, stream: bool) -> None:
    def script(connection: Connection) -> None:
        kind = "text/event-stream" if stream else "application/json"
        connection.send(head(f"Content-Type: {kind}", "Connection: close"))
        connection.send(ONE + END if stream else BODY)

    with RawServer(script) as server:
        assert ask(mode, server.url, stream=stream) == ("one" if stream else "hello")


@pytest.mark.parametrize("stream", [False, True])
def test_gzip(mode: Mode, stream: bool) -> None:
    data = gzip.compress(ONE + END + DONE if stream else BODY)

    def script(connection: Connection) -> None:
        connection.send(head("Content-Encoding: gzip", f"Content-Length: {len(data)}") + data)

    with RawServer(script) as server:
        assert ask(mode, server.url, stream=stream) == ("one" if stream else "hello")


@pytest.mark.parametrize("stream", [False, True])
def test_either_kind_of_answer_to_either_kind_of_call(mode: Mode, stream: bool) -> None:
    def other(connection: Connection) -> None:
        if stream:
            connection.send(JSON_HEAD + BODY)
        else:
            streaming(ONE, END, DONE)(connection)

    with RawServer(other) as server:
        assert ask(mode, server.url, stream=stream) == ("hello" if stream else "one")


def test_the_end_is_the_end_although_the_connection_stays_open(mode: Mode) -> None:
    def script(connection: Connection) -> None:
        connection.send(SSE_HEAD + chunked(ONE + END + DONE + ONE))
        connection.wait_for_client()

    with RawServer(script) as server:
        began = time.monotonic()
        assert ask(mode, server.url, stream=True) == "one"
        assert time.monotonic() - began < 5
        assert server.left.wait(5)


def test_refused(mode: Mode) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(ConnectError, match=rf"127\.0\.0\.1:{port}"):
        ask(mode, f"http://127.0.0.1:{port}")


def test_an_unknown_host(mode: Mode) -> None:
    with pytest.raises(ConnectError, match=r"no-such-host\.invalid"):
        ask(mode, "http://no-such-host.invalid", api_key=KEY)


@pytest.mark.parametrize("how", ["close", "reset"])
def test_a_connection_that_breaks_before_an_answer(mode: Mode, how: str) -> None:
    def script(connection: Connection) -> None:
        if how == "reset":
            connection.reset()

    with RawServer(script) as server, pytest.raises(APIConnectionError) as caught:
        ask(mode, server.url)
    assert not isinstance(caught.value, ConnectError)
    assert caught.value.__cause__ is not None
    assert len(caught.value.attempts) == 1


def test_a_json_answer_that_is_cut(mode: Mode) -> None:
    def script(connection: Connection) -> None:
        connection.send(JSON_HEAD + BODY[:20])

    with RawServer(script) as server, pytest.raises(APIConnectionError):
        ask(mode, server.url)


@pytest.mark.parametrize("how", ["close", "reset"])
def test_a_stream_that_is_cut_keeps_what_came(mode: Mode, how: str) -> None:
    def script(connection: Connection) -> None:
        connection.send(SSE_HEAD + chunked(ONE))
        time.sleep(0.05)
        if how == "reset":
            connection.reset()

    with RawServer(script) as server, pytest.raises(StreamInterruptedError) as caught:
        ask(mode, server.url, stream=True)
    assert caught.value.partial is not None
    assert caught.value.partial.text == "one"
    assert caught.value.delivered == 1


def test_a_cut_after_the_last_word_is_no_loss(mode: Mode) -> None:
    def script(connection: Connection) -> None:
        connection.send(SSE_HEAD + chunked(ONE + END))
        time.sleep(0.05)

    with RawServer(script) as server:
        assert ask(mode, server.url, stream=True) == "one"


@pytest.mark.parametrize("stream", [False, True])
def test_not_http(mode: Mode, stream: bool) -> None:
    def script(connection: Connection) -> None:
        connection.send(b"SSH-2.0-fake\r\n")
        connection.wait_for_client()

    began = time.monotonic()
    with RawServer(script) as server, pytest.raises(APIConnectionError):
        ask(mode, server.url, stream=stream, timeout=5)
    assert time.monotonic() - began < 4


def test_an_answer_that_is_html(mode: Mode) -> None:
    page = b"<html><title>Welcome</title></html>"

    def script(connection: Connection) -> None:
        connection.send(head("Content-Type: text/html", f"Content-Length: {len(page)}") + page)

    for stream in (False, True):
        with RawServer(script) as server, pytest.raises(ResponseDecodeError) as caught:
            ask(mode, server.url, stream=stream)
        assert caught.value.body == page


SLOW: dict[str, tuple[Callable[[Connection], None], bool, str]] = {
    "no head": (Connection.wait_for_client, False, "first_event"),
    "no body": (
        lambda c: (c.send(JSON_HEAD), c.wait_for_client())[1],
        False,
        "first_event",
    ),
    "no event": (lambda c: (c.send(SSE_HEAD), c.wait_for_client())[1], True, "first_event"),
    "no more events": (
        lambda c: (c.send(SSE_HEAD + chunked(ONE)), c.wait_for_client())[1],
        True,
        "idle",
    ),
    "comments for ever": (
        lambda c: (c.send(SSE_HEAD + chunked(ONE)), c.drip_chunks())[1],  # type: ignore[attr-defined]
        True,
        "idle",
    ),
}


def drip_chunks(connection: Connection) -> None:
    for _ in range(200):
        connection.send(chunked(b": still here\n\n"))
        time.sleep(0.02)


Connection.drip_chunks = drip_chunks  # type: ignore[attr-defined]


@pytest.mark.parametrize("case", SLOW)
def test_each_phase_has_its_limit(mode: Mode, case: str) -> None:
    script, stream, kind = SLOW[case]
    timeout = Timeout(connect=5, first_event=0.2, idle=0.2, total=5)
    began = time.monotonic()
    with RawServer(script) as server, pytest.raises(APITimeoutError) as caught:
        ask(mode, server.url, stream=stream, timeout=timeout)
    assert caught.value.kind == kind
    assert time.monotonic() - began < 2


DRIPS: dict[str, Callable[[Connection], None]] = {
    "head": lambda connection: connection.drip(JSON_HEAD, 0.03),
    "body": lambda c: (c.send(JSON_HEAD), c.drip(BODY, 0.03))[1],
    "stream": lambda c: (c.send(SSE_HEAD), [c.drip(chunked(ONE), 0.005) for _ in range(99)])[0],
}


@pytest.mark.parametrize("case", DRIPS)
def test_dripping_bytes_do_not_renew_the_total(mode: Mode, case: str) -> None:
    began = time.monotonic()
    with RawServer(DRIPS[case]) as server, pytest.raises(APITimeoutError) as caught:
        ask(
            mode,
            server.url,
            stream=case == "stream",
            timeout=Timeout(connect=5, first_event=5, idle=5, total=0.3),
        )
    assert caught.value.kind == "total"
    assert time.monotonic() - began < 2


@pytest.mark.parametrize("target", ["same", "other"])
def test_redirects_are_told_and_not_followed(mode: Mode, target: str) -> None:
    with LocalRouter() as other:
        place = "/elsewhere" if target == "same" else f"{other.url}/v1/chat/completions"

        def script(connection: Connection) -> None:
            connection.send(
                head(f"Location: {place}", "Content-Length: 0", status="307 Temporary Redirect"),
            )

        with RawServer(script) as server, pytest.raises(APIStatusError, match="redirect") as caught:
            ask(mode, server.url, api_key=KEY)
        assert caught.value.status_code == 307
        assert len(server.requests) == 1
        assert not other.requests


def test_netrc_never_replaces_the_key(
    mode: Mode, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login someone password hidden\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    with RawServer(answering) as server:
        ask(mode, server.url, api_key=KEY)
        assert f"Authorization: Bearer {KEY}".encode() in server.requests[0]


def test_cookies_are_not_replayed(mode: Mode) -> None:
    def script(connection: Connection) -> None:
        connection.keep = True  # type: ignore[attr-defined]
        connection.send(JSON_HEAD.replace(b"\r\n\r\n", b"\r\nSet-Cookie: a=fake\r\n\r\n") + BODY)

    async def body() -> None:
        async with mode.client(server_url=server.url) as client:
            for _ in range(2):
                answer = await mode.create(client, request=REQUEST)
                assert "set-cookie" not in answer.info.headers

    with RawServer(script) as server:
        mode.run(body)
        assert b"ookie" not in server.requests[1]


def test_accept_follows_stream_and_headers_can_be_given(mode: Mode) -> None:
    with LocalRouter() as router:
        ask(mode, router.url)
        ask(mode, router.url, stream=True, headers={"accept": "x/y", "X-Tag": "t"})
    plain, streamed = (CaseInsensitiveDict(each.headers) for each in router.requests)
    assert plain["Accept"] == "application/json"
    assert plain["User-Agent"].startswith("orq-core/")
    assert "Authorization" not in plain
    assert streamed["accept"] == "x/y"
    assert streamed["X-Tag"] == "t"


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def server_context(authority: trustme.CA, *names: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*names).configure_cert(context)
    return context


@pytest.mark.filterwarnings("ignore::urllib3.exceptions.InsecureRequestWarning")
def test_tls_with_an_authority_of_ones_own(
    mode: Mode, authority: trustme.CA, tmp_path: Path
) -> None:
    bundle = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(bundle))
    with RawServer(answering, server_context(authority, "localhost")) as server:
        assert ask(mode, server.url, api_key=KEY, verify=str(bundle)) == "hello"
        assert ask(mode, server.url, api_key=KEY, verify=False) == "hello"
        with pytest.raises(ConnectError):
            ask(mode, server.url, api_key=KEY)


def test_tls_for_another_host(mode: Mode, authority: trustme.CA, tmp_path: Path) -> None:
    bundle = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(bundle))
    with (
        RawServer(answering, server_context(authority, "elsewhere.test")) as server,
        pytest.raises(ConnectError),
    ):
        ask(mode, server.url, api_key=KEY, verify=str(bundle))
    assert not server.requests


def test_a_client_certificate(mode: Mode, authority: trustme.CA, tmp_path: Path) -> None:
    bundle, mine = tmp_path / "ca.pem", tmp_path / "client.pem"
    authority.cert_pem.write_to_path(str(bundle))
    authority.issue_cert("client@example.test").private_key_and_cert_chain_pem.write_to_path(
        str(mine),
    )
    context = server_context(authority, "localhost")
    context.verify_mode = ssl.CERT_REQUIRED
    authority.configure_trust(context)
    with RawServer(answering, context) as server:
        arguments = {"api_key": KEY, "verify": str(bundle)}
        assert ask(mode, server.url, cert=str(mine), **arguments) == "hello"
        with pytest.raises(APIConnectionError):
            ask(mode, server.url, **arguments)


def test_a_proxy(mode: Mode, monkeypatch: pytest.MonkeyPatch) -> None:
    with RawServer(answering) as proxy:
        url = "http://far.example.test/v1"
        bare = f"127.0.0.1:{proxy.port}"
        for given in (proxy.url, bare, proxy.url.upper()):
            assert ask(mode, url, api_key=KEY, proxy=given) == "hello"
        for given in (proxy.url, bare):
            monkeypatch.setenv("http_proxy", given)
            assert ask(mode, url, api_key=KEY) == "hello"
        assert len(proxy.requests) == 5
        assert all(
            request.startswith(b"POST http://far.example.test/v1/chat")
            for request in proxy.requests
        )


def test_a_proxy_that_is_not_there(mode: Mode) -> None:
    with pytest.raises(ConnectError):
        ask(mode, "http://far.example.test", api_key=KEY, proxy="http://127.0.0.1:9")


def test_a_missing_bundle_is_told(mode: Mode) -> None:
    with pytest.raises(OrqError) as caught:
        ask(mode, "https://localhost:9", verify="/no/such/bundle.pem")
    assert isinstance(caught.value, ConfigurationError)


@pytest.mark.parametrize("after", [1, 3])
def test_what_the_caller_does_between_two_events_is_not_the_servers_time(
    mode: Mode, after: int
) -> None:
    def script(connection: Connection) -> None:
        connection.send(SSE_HEAD)
        for number in range(6):
            connection.send(chunked(event(chunk(f"{number}"))))
            time.sleep(0.05)
        connection.send(chunked(END + DONE) + LAST_CHUNK)

    async def body() -> str:
        limits = Timeout(idle=0.2, first_event=0.5, total=30)
        async with mode.client(server_url=server.url, timeout=limits) as client:
            answer = await mode.create(client, request=REQUEST, stream=True)
            text, seen = "", 0
            async for each in mode.iterate(answer):
                text, seen = text + each.text, seen + 1
                if seen == after:
                    await pause(mode, 0.8)
            return text

    with RawServer(script) as server:
        assert mode.run(body) == "012345"


def test_a_stream_is_over_in_time_although_nobody_reads_it(mode: Mode) -> None:
    def script(connection: Connection) -> None:
        connection.send(SSE_HEAD + chunked(ONE))
        connection.wait_for_client()

    async def body() -> None:
        limits = Timeout(idle=0.2, total=0.6)
        async with mode.client(server_url=server.url, timeout=limits) as client:
            answer = await mode.create(client, request=REQUEST, stream=True)
            await pause(mode, 0.9)
            if mode.is_async:
                assert server.left.is_set()
            with pytest.raises(APITimeoutError) as caught:
                await mode.completion(answer)
            assert caught.value.kind == "total"

    with RawServer(script) as server:
        mode.run(body)


async def pause(mode: Mode, seconds: float) -> None:
    """Do something else for a while."""
    if mode.is_async:
        await asyncio.sleep(seconds)
    else:
        time.sleep(seconds)  # noqa: ASYNC251 - a blocking caller has no loop


def test_closing_from_another_thread_wakes_the_reader() -> None:
    from orq_core import Orq

    def script(connection: Connection) -> None:
        connection.send(SSE_HEAD + chunked(ONE))
        connection.wait_for_client()

    with RawServer(script) as server, Orq(server_url=server.url) as client:
        stream = client.router.chat.completions.create(stream=True, **REQUEST)
        assert next(stream).text == "one"
        threading.Timer(0.1, stream.close).start()
        with pytest.raises(StreamInterruptedError, match="another thread"):
            next(stream)
        assert server.left.wait(5)


def test_closing_the_client_ends_who_reads(mode: Mode) -> None:
    def script(connection: Connection) -> None:
        connection.send(SSE_HEAD + chunked(ONE))
        connection.wait_for_client()

    async def body() -> None:
        async with mode.client(server_url=server.url) as client:
            answer = await mode.create(client, request=REQUEST, stream=True)
            if mode.is_async:
                reading = asyncio.create_task(mode.completion(answer))
                await asyncio.sleep(0.1)
                await client.aclose()
                with pytest.raises(StreamInterruptedError):
                    await reading
            else:
                threading.Timer(0.1, client.close).start()
                with pytest.raises(StreamInterruptedError):
                    answer.completion()

    began = time.monotonic()
    with RawServer(script) as server:
        mode.run(body)
        assert server.left.wait(5)
    assert time.monotonic() - began < 5


def test_bytes_on_an_idle_connection_are_nobodys_answer(mode: Mode) -> None:
    other = json.dumps(completion("someone else's")).encode()

    def script(connection: Connection) -> None:
        connection.keep = True  # type: ignore[attr-defined]
        connection.send(JSON_HEAD + BODY)
        time.sleep(0.05)
        connection.send(head(f"Content-Length: {len(other)}") + other)

    async def body() -> None:
        async with mode.client(server_url=server.url) as client:
            for _ in range(3):
                assert (await mode.create(client, request=REQUEST)).text == "hello"
                await client._core.runtime.sleep(0.15)

    with RawServer(script) as server:
        mode.run(body)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("empty", [False, True])
def test_bytes_right_behind_an_answer_spoil_its_connection(
    mode: Mode, stream: bool, empty: bool
) -> None:
    other = json.dumps(completion("someone else's")).encode()
    answer = head("Content-Length: 0", status="500 x") if empty else JSON_HEAD + BODY

    def script(connection: Connection) -> None:
        connection.keep = True  # type: ignore[attr-defined]
        connection.send(answer + head(f"Content-Length: {len(other)}") + other)

    async def body() -> None:
        async with mode.client(server_url=server.url, retries=None) as client:
            for _ in range(3):
                try:
                    got = await mode.create(client, request=REQUEST, stream=stream)
                    assert (await mode.completion(got) if stream else got).text == "hello"
                except APIStatusError as error:
                    assert (error.status_code, empty) == (500, True)

    with RawServer(script) as server:
        mode.run(body)
        assert server.connections == 3


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
@pytest.mark.parametrize("coding", [(), ("Content-Encoding: gzip",)], ids=["plain", "gzip"])
def test_no_chunks_are_waited_for_where_no_body_is(
    mode: Mode, stream: bool, status: str, coding: tuple[str, ...]
) -> None:
    def script(connection: Connection) -> None:
        connection.keep = True  # type: ignore[attr-defined]
        connection.send(head("Transfer-Encoding: chunked", *coding, status=status))

    async def body() -> None:
        async with mode.client(server_url=server.url, retries=None, timeout=5) as client:
            for _ in range(2):
                with pytest.raises((APIStatusError, ResponseDecodeError, StreamTruncatedError)):
                    await mode.create(client, request=REQUEST, stream=stream)

    began = time.monotonic()
    with RawServer(script) as server:
        mode.run(body)
        assert coding or server.connections == 1
    assert time.monotonic() - began < 4


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("header", ["Content-Length: 0", "Connection: Upgrade\r\nUpgrade: other"])
def test_nothing_follows_a_switch_of_protocols(mode: Mode, stream: bool, header: str) -> None:
    def script(connection: Connection) -> None:
        connection.keep = True  # type: ignore[attr-defined]
        if server.connections == 1:
            connection.send(head(header, status="101 Switching Protocols"))
        else:
            connection.send(JSON_HEAD + BODY)

    async def body() -> None:
        async with mode.client(server_url=server.url, retries=None, timeout=5) as client:
            with pytest.raises(APIConnectionError, match="changed to a protocol"):
                await mode.create(client, request=REQUEST, stream=stream)
            got = await mode.create(client, request=REQUEST, stream=stream)
            assert (await mode.completion(got) if stream else got).text == "hello"

    began = time.monotonic()
    with RawServer(script) as server:
        mode.run(body)
        assert server.connections == 2
    assert time.monotonic() - began < 4


def test_connections_to_many_hosts_end_with_the_client(mode: Mode) -> None:
    def script(connection: Connection) -> None:
        connection.send(head("Content-Length: 2", status="500 x") + b"{}")
        connection.wait_for_client()

    async def body() -> list[APIStatusError]:
        kept = []
        async with mode.client(retries=None) as client:
            for server in servers:
                with pytest.raises(APIStatusError) as caught:
                    await mode.create(client, request=REQUEST, server_url=server.url)
                # Its traceback refers to the pool.
                kept.append(caught.value)
        return kept

    with contextlib.ExitStack() as stack:
        servers = [stack.enter_context(RawServer(script)) for _ in range(12)]
        kept = mode.run(body)
        assert all(server.left.wait(2) for server in servers)
    assert len(kept) == 12
