"""Both clients through real gateways: nginx, a proxy with a password, an authority of one's own."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from orq_core import (
    APIConnectionError,
    APIStatusError,
    APITimeoutError,
    ConnectError,
    InternalServerError,
    Timeout,
)
from orq_core.testing import DONE, LocalRouter, Pause, Stall, chunk, completion, reply, stream
from tests.real.gateways import PASSWORD, Nginx, Proxy

pytestmark = pytest.mark.real

HI: dict[str, Any] = {"model": "fake", "messages": [{"role": "user", "content": "one two three"}]}


@pytest.fixture(scope="module")
def router() -> Iterator[LocalRouter]:
    with LocalRouter() as router:
        yield router


@pytest.fixture(scope="module")
def nginx(tmp_path_factory: pytest.TempPathFactory, router: LocalRouter) -> Iterator[Nginx]:
    server = Nginx(tmp_path_factory.mktemp("nginx"), router.port)
    yield server
    server.stop()


@pytest.fixture(scope="module")
def proxy() -> Iterator[Proxy]:
    server = Proxy()
    yield server
    server.stop()


def open_one(open_client: Any, url: str, **more: Any) -> Any:
    return open_client(api_key="fake-key", server_url=url, retries=None, **more)


@pytest.mark.parametrize("way", ["plain", "buffered", "gzip"])
def test_answers_come_through(open_client, nginx, router, way):
    client = open_one(open_client, nginx.url(way))
    assert client.create(**HI).text == "one two three"
    assert client.create(**HI, stream=True).completion().text == "one two three"


def test_events_are_compressed_only_when_asked_for(open_client, nginx, router):
    client = open_one(open_client, nginx.url("gzip"))
    asked = {"http_headers": {"Accept-Encoding": "gzip"}}
    streamed = client.create(**HI, stream=True, **asked)
    assert streamed.completion().text == "one two three"
    assert streamed.info.headers["content-encoding"] == "gzip"
    plain = client.create(**HI, stream=True)
    assert plain.completion().text == "one two three"
    assert "content-encoding" not in plain.info.headers


def test_a_compressed_json_answer(open_client, nginx, router):
    client = open_one(open_client, nginx.url("gzip"))
    answer = client.create(**HI)
    assert answer.info.headers["content-encoding"] == "gzip"
    assert answer.text == "one two three"


def test_a_body_compressed_by_the_router_itself(open_client, router):
    import json

    body = gzip.compress(json.dumps(completion("small")).encode())
    router.enqueue(reply(body, headers={"content-encoding": "gzip"}))
    assert open_one(open_client, router.url).create(**HI).text == "small"


def test_the_first_event_comes_before_the_last(open_client, nginx, router):
    gate = threading.Event()
    from orq_core.testing import Wait

    router.enqueue(stream(chunk("a"), Wait(gate), chunk("b", finish_reason="stop"), DONE))
    streamed = open_one(open_client, nginx.url("plain")).create(**HI, stream=True)
    events = iter(streamed)
    assert next(events).text == "a"
    gate.set()
    assert [event.text for event in events] == ["b"]


def test_nobody_behind_the_gateway(open_client, nginx):
    client = open_one(open_client, nginx.url("down"))
    for streamed in (False, True):
        with pytest.raises(InternalServerError) as caught:
            client.create(**HI, stream=streamed)
        assert caught.value.status_code == 502
        assert "Bad Gateway" in str(caught.value)
        assert "<html>" not in str(caught.value)
        assert "nginx" in caught.value.body


def test_a_gateway_that_gives_up(open_client, nginx, router):
    router.enqueue(stream(Pause(3), chunk("late"), DONE))
    with pytest.raises(InternalServerError) as caught:
        open_one(open_client, nginx.url("slow")).create(**HI)
    assert caught.value.status_code == 504


def test_a_stream_behind_the_gateway_stalls(open_client, nginx, router):
    router.enqueue(stream(chunk("a"), Stall()))
    client = open_one(open_client, nginx.url("plain"), timeout=Timeout(idle=0.3))
    streamed = client.create(**HI, stream=True)
    events = iter(streamed)
    assert next(events).text == "a"
    with pytest.raises(APITimeoutError) as caught:
        next(events)
    assert caught.value.kind == "idle"


def test_an_authority_of_ones_own(open_client, nginx):
    client = open_one(open_client, nginx.tls_url("tls"), verify=str(nginx.bundle))
    assert client.create(**HI).text == "one two three"
    with pytest.raises(ConnectError):
        open_one(open_client, nginx.tls_url("tls")).create(**HI)


def test_mutual_tls(open_client, nginx):
    trusted = {"verify": str(nginx.bundle)}
    known = open_one(
        open_client, nginx.tls_url("mutual"), cert=str(nginx.client_certificate), **trusted
    )
    assert known.create(**HI, stream=True).completion().text == "one two three"
    with pytest.raises((APIStatusError, APIConnectionError)) as caught:
        open_one(open_client, nginx.tls_url("mutual"), **trusted).create(**HI)
    assert getattr(caught.value, "status_code", 400) == 400


@pytest.mark.parametrize("secure", [False, True], ids=["plain", "tls"])
def test_a_proxy_with_a_password(open_client, nginx, proxy, secure):
    url = nginx.tls_url("tls") if secure else nginx.url("plain")
    trusted = {"verify": str(nginx.bundle)}
    client = open_one(open_client, url, proxy=proxy.url(), **trusted)
    assert client.create(**HI).text == "one two three"
    assert client.create(**HI, stream=True).completion().text == "one two three"
    for user in ("", "fake-user:wrong@"):
        stranger = open_one(open_client, url, proxy=proxy.url(user), **trusted)
        with pytest.raises((APIConnectionError, APIStatusError)) as caught:
            stranger.create(**HI)
        assert getattr(caught.value, "status_code", 407) == 407
        assert "407" in str(caught.value)
        assert "wrong" not in str(caught.value)
    assert PASSWORD not in repr(client)
