"""The key goes to its own server, and nowhere else: not to other hosts, not into what is shown."""

from __future__ import annotations

import contextlib
import copy
import json
import logging
import pickle
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from orq_core import (
    APIStatusError,
    APIStreamError,
    ConfigurationError,
    OrqError,
    ResponseDecodeError,
    to_dict,
)
from orq_core.testing import DONE, Mode, chunk, event
from orq_plugins import Caching, Logging, Redaction, Retries
from tests.faults.scripts import good
from tests.faults.table import Script, answers, sends, streams
from tests.raw_server import Connection, RawServer, head

KEY = "fake-canary-key-5a1f9c77e2"
ASK: dict[str, Any] = {"model": "fake/model", "messages": [{"role": "user", "content": "hello"}]}
ECHO = json.dumps({"error": {"message": f"bad key {KEY}", "code": KEY, "param": [KEY]}}).encode()


def plugins(stack: str) -> list[Any]:
    return [Redaction(), Logging(), Caching(), Retries(policy=0)] if stack == "four" else []


async def ask(
    mode: Mode, url: str, *, stream: bool = False, stack: str = "bare", **more: Any
) -> Any:
    given = {
        "api_key": KEY,
        "server_url": url,
        "plugins": plugins(stack),
        "discover": False,
        **more,
    }
    async with mode.client(**given) as client:
        answer = await mode.create(client, stream=stream, **ASK)
        return await mode.completion(answer) if stream else answer


def keeping(connection: Connection) -> None:
    connection.keep = True  # type: ignore[attr-defined]
    good(connection)


def error_of(mode: Mode, url: str, kind: type[OrqError] = OrqError, **more: Any) -> OrqError:
    with pytest.raises(kind) as caught:
        mode.run(lambda: ask(mode, url, **more))
    return caught.value


def shown(error: BaseException) -> str:
    """Return all that an error and what led to it show of themselves; locals aside."""
    seen: list[str] = []
    todo: list[BaseException | None] = [error]
    while todo:
        each = todo.pop()
        if each is not None:
            seen += [str(each), repr(each), repr(each.args), repr(vars(each))]
            todo += [each.__cause__, each.__context__]
    seen += traceback.format_exception(error)
    if isinstance(error, OrqError):
        seen += [repr(pickle.dumps(error)), repr(vars(copy.deepcopy(error)))]
    return "\n".join(seen)


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> Iterator[Callable[[], str]]:
    """Let every logger say everything."""
    with contextlib.ExitStack() as stack:
        for name in (
            None,
            "orq",
            "urllib3",
            "requests",
            "aiohttp",
            "asyncio",
            "charset_normalizer",
        ):
            stack.enter_context(caplog.at_level(logging.DEBUG, logger=name))
        yield lambda: caplog.text + "".join(repr(vars(each)) for each in caplog.records)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("target", ["same", "other", "other scheme", "user info", "no host", ""])
def test_a_redirect_gets_no_key(mode: Mode, status: int, target: str) -> None:
    with RawServer(good) as other:
        place = {
            "same": "/elsewhere",
            "other": f"{other.url}/v2/router/chat/completions",
            "other scheme": "ftp://example.com/",
            "user info": f"http://someone:pass-word@127.0.0.1:{other.port}/",
            "no host": "http://[",
            "": "",
        }[target]
        script = sends(head(f"Location: {place}", "Content-Length: 0", status=f"{status} x"))
        with RawServer(script) as server:
            for stream in (False, True):
                error = error_of(mode, server.url, APIStatusError, stream=stream)
                assert "redirect" in str(error)
                assert "pass-word" not in str(error)
            assert len(server.requests) == 2
        assert other.connections == 0


def test_netrc_gives_no_key(mode: Mode, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text(
        "machine 127.0.0.1 login someone password hidden\ndefault login a password b\n"
    )
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    with RawServer(good) as server:
        mode.run(lambda: ask(mode, server.url))
        mode.run(lambda: ask(mode, server.url, api_key=None))
        first, second = server.requests
    assert first.count(b"uthorization:") == 1
    assert f"Bearer {KEY}".encode() in first
    assert b"uthorization" not in second


def test_user_info_in_a_url_is_refused_or_hidden(mode: Mode) -> None:
    with RawServer(good) as server:
        url = f"http://someone:pass-word@127.0.0.1:{server.port}"
        with pytest.raises(ConfigurationError) as caught:
            mode.run(lambda: ask(mode, url))
        assert "pass-word" not in shown(caught.value)
        assert not server.requests


def test_a_proxys_password_is_not_shown(mode: Mode) -> None:
    with RawServer(lambda connection: connection.reset()) as proxy:
        url = f"http://someone:hidden-word@127.0.0.1:{proxy.port}"
        error = error_of(mode, "http://example.invalid", proxy=url)
    assert "hidden-word" not in shown(error)
    assert KEY not in shown(error)


ECHOES: dict[str, tuple[type[OrqError], Script]] = {
    "status": (APIStatusError, answers(ECHO, f"X-Echo: Bearer {KEY}", status="401 x")),
    "status, in text": (APIStatusError, answers(f"bad {KEY}".encode(), status="403 x")),
    "status, in a page": (
        APIStatusError,
        answers(f"<title>{KEY}</title>".encode(), status="500 x"),
    ),
    "status, in events": (APIStatusError, answers(b"data: " + ECHO + b"\n\n", status="500 x")),
    "redirect": (
        APIStatusError,
        sends(head(f"Location: /?{KEY}", "Content-Length: 0", status="307 x")),
    ),
    "error object": (APIStreamError, answers(ECHO)),
    "error event": (APIStreamError, streams(b"data: " + ECHO + b"\n\n", DONE)),
    "error in text": (APIStreamError, streams(f"event: error\ndata: {KEY}\n\n".encode())),
    "late error": (APIStreamError, streams(event(chunk("a")), b"data: " + ECHO + b"\n\n")),
    "late error, in a header": (
        APIStreamError,
        sends(head(f"X-Echo: {KEY}") + event(chunk("a")) + b'data: {"error": {"code": 1}}\n\n'),
    ),
    "page": (ResponseDecodeError, answers(f"<html>{KEY}".encode())),
    "half an object": (ResponseDecodeError, answers(b'{"a": "' + KEY.encode())),
    "bad event": (ResponseDecodeError, streams(event(chunk("a")), f"data: {{{KEY}\n\n".encode())),
    "bad status line": (OrqError, sends(f"HTTP/1.1 {KEY}\r\n\r\n".encode())),
    "bad header": (OrqError, sends(f"HTTP/1.1 200 OK\r\n{KEY}\r\n\r\n".encode())),
    "bad length": (OrqError, sends(head(f"Content-Length: {KEY}"))),
    "bad chunk": (OrqError, sends(head("Transfer-Encoding: chunked"), f"{KEY}\r\n".encode())),
}


@pytest.mark.parametrize("stack", ["bare", "four"])
@pytest.mark.parametrize("echo", ECHOES)
def test_a_server_that_repeats_the_key(
    mode: Mode, echo: str, stack: str, log: Callable[[], str]
) -> None:
    kind, script = ECHOES[echo]
    with RawServer(script) as server:
        for stream in (False, True):
            error = error_of(mode, server.url, kind, stream=stream, stack=stack)
            assert KEY not in shown(error)
        assert len(server.requests) == 2
    assert KEY not in log()


@pytest.mark.parametrize("stack", ["bare", "four"])
@pytest.mark.parametrize("stream", [False, True])
def test_logs_hold_no_key(mode: Mode, stream: bool, stack: str, log: Callable[[], str]) -> None:
    with RawServer(good) as server:
        answer = mode.run(lambda: ask(mode, server.url, stream=stream, stack=stack))
    assert answer.text == "hello"
    assert KEY not in log()


def test_what_is_shown_of_a_client_holds_no_key(mode: Mode) -> None:
    async def body() -> None:
        async with mode.client(api_key=KEY, server_url=server.url, discover=False) as client:
            answer = await mode.create(client, **ASK)
            stream = await mode.create(client, stream=True, **ASK)
            things = [client, client.router, client.router.chat.completions, client.runtime]
            things += [answer, answer.info, stream, stream.info, client.with_options(timeout=3)]
            for thing in things:
                assert KEY not in f"{thing!r} {thing!s}", type(thing)
            for held in (answer, answer.info, to_dict(answer), copy.deepcopy(answer)):
                assert KEY.encode() not in pickle.dumps(held)
            await mode.close(stream)
            for again in (pickle.dumps, copy.deepcopy):
                with pytest.raises(TypeError, match="make another client") as caught:
                    again(client)
                assert KEY not in shown(caught.value)

    with RawServer(keeping) as server:
        mode.run(body)


@pytest.mark.parametrize(
    "key", ["fake\r\nX-Evil: 1", "fake\nkey", "fake\0key", "schlüssel-fake", "fake\ud800", " \t"]
)
def test_a_key_that_cannot_be_sent(mode: Mode, key: str) -> None:
    with RawServer(good) as server:
        for given in (key, lambda: key):
            error = error_of(mode, server.url, ConfigurationError, api_key=given)
            assert "api_key" in str(error)
            assert "evil" not in str(error).lower()
            assert key.strip()[:6] not in str(error) or not key.strip()
        assert not server.requests
