"""Requests that can't be sent are refused by name; what can be sent arrives as it was meant."""

from __future__ import annotations

import datetime as dt
import json
import math
from collections import OrderedDict, UserDict
from collections.abc import AsyncIterator
from types import MappingProxyType
from typing import Any

import pytest

from orq_core import ConfigurationError, OrqError, RequestError
from orq_core.testing import Mode
from orq_plugins import Caching, Logging, Redaction, Retries
from tests.faults.scripts import good
from tests.raw_server import RawServer

KEY = "fake-key-1234567890"
HELLO = [{"role": "user", "content": "hello"}]


def plugins(stack: str) -> list[Any]:
    return [Redaction(), Logging(), Caching(), Retries(policy=0)] if stack == "four" else []


def sent(mode: Mode, stack: str = "bare", client: Any = None, **call: Any) -> list[bytes]:
    """Ask, and return the requests that arrived."""

    async def body() -> None:
        given = {"api_key": KEY, "server_url": server.url, "plugins": plugins(stack)}
        async with mode.client(**{**given, "discover": False, **(client or {})}) as made:
            await mode.create(made, **{"model": "fake/model", "messages": HELLO, **call})

    with RawServer(good) as server:
        try:
            mode.run(body)
        except OrqError:
            assert not server.requests, "refused, and sent all the same"
            raise
        return server.requests


def body_of(request: bytes) -> Any:
    """Read a request strictly: as UTF-8, and without what only Python takes for JSON."""

    def refuse(name: str) -> Any:
        raise AssertionError(name)

    _, _, body = request.partition(b"\r\n\r\n")
    return json.loads(body.decode("utf-8"), parse_constant=refuse)


def cyclic() -> list[Any]:
    around: list[Any] = [{"role": "user"}]
    around[0]["content"] = around
    return around


def cyclic_mapping() -> dict[str, Any]:
    around: dict[str, Any] = {}
    around["self"] = around
    return around


async def later() -> AsyncIterator[Any]:
    yield HELLO[0]


def deep(levels: int) -> Any:
    value: Any = "end"
    for _ in range(levels):
        value = [value]
    return value


def said(content: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": content}]}


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "NaN": ({"temperature": math.nan}, "temperature"),
    "infinity": ({"temperature": math.inf}, "temperature"),
    "NaN within": ({"metadata": {"a": [1, math.nan]}}, "metadata"),
    "NaN in extra_body": ({"extra_body": {"a": {"b": -math.inf}}}, "a"),
    "a set": ({"stop": {"a", "b"}}, "stop"),
    "bytes": (said(b"hello"), r"messages\[0\]"),
    "an object": ({"metadata": {"a": object()}}, "metadata"),
    "a function": ({"temperature": len}, "temperature"),
    "cyclic messages": ({"messages": cyclic()}, "messages"),
    "cyclic metadata": ({"extra_body": cyclic_mapping()}, "self"),
    "10,000 levels": ({"extra_body": {"a": deep(10_000)}}, "a"),
    "half a surrogate pair": (said("a\ud800b"), r"messages\[0\].content"),
    "a message that is a string": ({"messages": ["hello"]}, r"messages\[0\]"),
    "messages that are a string": ({"messages": "hello"}, "messages"),
    "messages that are a number": ({"messages": 5}, "messages"),
    "messages that are null": ({"messages": [None]}, r"messages\[0\]"),
    "an asynchronous generator": ({"messages": later()}, "messages"),
    "half a pair in a model": ({"model": "a\ud800"}, "model"),
    "half a pair in a name": ({"extra_body": {"a\ud800": 1}}, "ud800"),
    "a name that is a number": ({"extra_body": {"a": {1: 2}}}, "a"),
    "an integer that cannot be written": ({"extra_body": {"a": 10**5000}}, "a"),
    "a date": ({"metadata": {"a": dt.date(2026, 1, 1)}}, "metadata"),
    "a model that is a list": ({"model": ["a"]}, "model"),
    "a model that is a number": ({"model": 5}, "model"),
    "stream that is a string": ({"stream": "yes"}, "stream"),
    "n that is a string": ({"n": "2"}, "n"),
    "an image without url": (said([{"type": "image_url", "image_url": 5}]), r"image_url"),
}


@pytest.mark.parametrize("stack", ["bare", "four"])
@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_sent_is_refused(mode: Mode, name: str, stack: str) -> None:
    call, path = REFUSED[name]
    with pytest.raises(RequestError, match=path) as caught:
        sent(mode, stack, **call)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500


class Custom(UserDict[str, Any]):
    pass


SENT: dict[str, tuple[dict[str, Any], Any]] = {
    "a generator": ({"messages": (each for each in HELLO)}, HELLO),
    "a tuple": ({"messages": tuple(HELLO)}, HELLO),
    "mappings": ({"messages": [MappingProxyType(HELLO[0])]}, HELLO),
    "mappings of other kinds": ({"messages": [Custom(HELLO[0])]}, HELLO),
    "ordered": ({"messages": [OrderedDict(HELLO[0])]}, HELLO),
    "emoji": (said("😀 \u2028 é"), said("😀 \u2028 é")["messages"]),
    "control characters": (said("\0\x1b\r\n"), said("\0\x1b\r\n")["messages"]),
    "text like JSON": (said('"}],"stream":true'), said('"}],"stream":true')["messages"]),
    "10 MB": (said("x" * 10_000_000), said("x" * 10_000_000)["messages"]),
    "no messages": ({"messages": []}, []),
}


@pytest.mark.parametrize("stack", ["bare", "four"])
@pytest.mark.parametrize("name", SENT)
def test_what_can_be_sent_arrives(mode: Mode, name: str, stack: str) -> None:
    call, messages = SENT[name]
    if name == "a generator":
        call = {"messages": (each for each in HELLO)}
    (request,) = sent(mode, stack, **call)
    assert body_of(request)["messages"] == messages


@pytest.mark.parametrize("model", ["a\r\nb", "a\0b", "ä/ö", "a b", 'a"b', "a" * 10_000])
def test_a_strange_model_is_sent_as_it_is(mode: Mode, model: str) -> None:
    (request,) = sent(mode, model=model)
    assert request.count(b"\r\n\r\n") == 1
    assert body_of(request)["model"] == model


def test_large_numbers_keep_their_digits(mode: Mode) -> None:
    numbers = {"a": 2**200, "b": -(2**64), "c": 1e-300, "d": 0.1}
    (request,) = sent(mode, extra_body=numbers)
    assert {name: body_of(request)[name] for name in numbers} == numbers


@pytest.mark.parametrize(
    "headers",
    [
        {"X-A": "a\r\nX-Evil: 1"},
        {"X-A\r\nX-Evil": "1"},
        {"X-A": "a\nb"},
        {"X-A": "\0"},
        {"X A": "b"},
        {"": "b"},
        {"X-A": "ü\u2028"},
        {"X-A": 5},
        {5: "a"},
        {"X-A": None},
    ],
)
def test_headers_that_would_break_a_request(mode: Mode, headers: Any) -> None:
    for given in ({"http_headers": headers}, {"client": {"headers": headers}}):
        with pytest.raises(ConfigurationError, match="header"):
            sent(mode, **given)


@pytest.mark.parametrize(
    "url",
    [
        "example.com",
        "ftp://example.com",
        "http://",
        "http://exa mple.com",
        "http://example.com\r\nX-Evil: 1",
        "http://example.com:port",
        "http://example.com:99999",
        "http://[::1",
        "file:///etc/passwd",
        "http://a:b@example.com",
        5,
    ],
)
def test_urls_that_are_none(mode: Mode, url: Any) -> None:
    for given in ({"server_url": url}, {"client": {"server_url": url}}):
        with pytest.raises(ConfigurationError, match="server_url"):
            sent(mode, **given)


@pytest.mark.parametrize(
    "seconds", [0, -1, math.nan, "5", True, [], -math.inf, math.inf, 1e10, 10**200]
)
def test_limits_that_are_none(mode: Mode, seconds: Any) -> None:
    with pytest.raises(ConfigurationError, match="timeout"):
        sent(mode, client={"timeout": seconds})
    with pytest.raises(ConfigurationError, match="timeout"):
        sent(mode, timeout_ms=seconds)
