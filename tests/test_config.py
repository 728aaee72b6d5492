"""Settings: what is accepted, what is refused by name, and which one wins."""

from __future__ import annotations

import asyncio
import copy
import pickle
from typing import Any

import pytest

from orq_core import CallOptions, ConfigurationError, Orq, RetryConfig, RetryPolicy, Timeout
from orq_core.config import (
    authorization,
    checked_headers,
    endpoint,
    is_loopback,
    merged_options,
    resolve_key,
)
from orq_core.testing import Mode, ScriptedTransport

KEY = "fake-key-0000"


@pytest.mark.parametrize(
    ("server_url", "url"),
    [
        ("https://my.orq.ai", "https://my.orq.ai/v2/router/chat/completions"),
        ("https://my.orq.ai/", "https://my.orq.ai/v2/router/chat/completions"),
        (" https://my.orq.ai ", "https://my.orq.ai/v2/router/chat/completions"),
        ("https://my.orq.ai/v3/router", "https://my.orq.ai/v3/router/chat/completions"),
        ("https://my.orq.ai/v3/router/", "https://my.orq.ai/v3/router/chat/completions"),
        ("http://127.0.0.1:8080/v1", "http://127.0.0.1:8080/v1/chat/completions"),
        ("https://gw.corp/orq/v2/router", "https://gw.corp/orq/v2/router/chat/completions"),
        ("https://gw.corp/orq", "https://gw.corp/orq/v2/router/chat/completions"),
        ("https://x.test/v1beta/openai", "https://x.test/v1beta/openai/chat/completions"),
        ("https://x.test/v1/chat/completions", "https://x.test/v1/chat/completions"),
        ("https://x.test/v1?api-version=1", "https://x.test/v1/chat/completions?api-version=1"),
        ("http://[::1]:9/v2/router", "http://[::1]:9/v2/router/chat/completions"),
    ],
)
def test_endpoint_doubles_nothing(server_url: str, url: str) -> None:
    assert endpoint(server_url) == url
    assert endpoint(url) == url


@pytest.mark.parametrize(
    "server_url",
    [
        "",
        "my.orq.ai",
        "ftp://x.test",
        "http://",
        "http://x.test:99999",
        "http://[::1",
        "http://a b",
    ],
)
def test_what_is_no_url_is_refused_by_name(server_url: str) -> None:
    with pytest.raises(ConfigurationError, match="server_url"):
        endpoint(server_url)


def test_credentials_in_the_url_are_refused_without_repeating_them() -> None:
    with pytest.raises(ConfigurationError, match="user name or password") as caught:
        endpoint("https://someone:hidden@x.test")
    assert "hidden" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "local"),
    [
        ("http://127.0.0.1:1", True),
        ("http://127.8.9.1", True),
        ("http://[::1]:1", True),
        ("http://localhost", True),
        ("http://api.localhost", True),
        ("https://my.orq.ai", False),
        ("http://10.0.0.1", False),
    ],
)
def test_loopback(url: str, local: bool) -> None:
    assert is_loopback(url) is local


@pytest.mark.parametrize("key", ["zq\nzq", "zq\r", " zq", "zq ", "zqé", "zq\x00zq"])
def test_an_unsendable_key_is_refused_and_not_shown(key: str) -> None:
    with pytest.raises(ConfigurationError, match="api_key") as caught:
        authorization(key)
    assert "zq" not in str(caught.value)


def test_bearer_is_not_doubled() -> None:
    assert authorization(KEY) == f"Bearer {KEY}"
    assert authorization(f"Bearer {KEY}") == f"Bearer {KEY}"
    assert authorization(f"bearer {KEY}") == f"bearer {KEY}"


def test_key_sources() -> None:
    async def later() -> str:
        return KEY

    async def resolve() -> list[str | None]:
        return [
            await resolve_key(KEY, "https://x.test"),
            await resolve_key(lambda: KEY, "https://x.test"),
            await resolve_key(later, "https://x.test"),
            await resolve_key(None, "http://127.0.0.1"),
        ]

    assert asyncio.run(resolve()) == [KEY, KEY, KEY, None]


@pytest.mark.parametrize("key", [None, "", lambda: None, lambda: ""])
def test_a_missing_key_is_told_before_anything_is_sent(key: object) -> None:
    with pytest.raises(ConfigurationError, match="ORQ_API_KEY"):
        asyncio.run(resolve_key(key, "https://x.test"))  # type: ignore[arg-type]


def test_a_key_function_must_return_text() -> None:
    with pytest.raises(ConfigurationError, match="returned int"):
        asyncio.run(resolve_key(lambda: 7, "https://x.test"))  # type: ignore[arg-type,return-value]


@pytest.mark.parametrize(
    "headers",
    [
        {"a b": "x"},
        {"": "x"},
        {"x": "a\r\nb"},
        {"x": 1},
        {"x": "\u20ac"},
        {1: "x"},
        {"content-length": "3"},
        {"Transfer-Encoding": "chunked"},
    ],
)
def test_unsendable_headers(headers: dict[str, str]) -> None:
    with pytest.raises(ConfigurationError, match="header"):
        checked_headers(headers)


def test_call_over_options_over_client() -> None:
    client = merged_options(
        CallOptions(),
        timeout=5,
        retries=3,
        http_headers={"X-A": "1", "X-B": "1"},
        plugin_options={"caching": {"ttl": 1, "bypass": True}},
    )
    options = CallOptions(timeout=Timeout(total=9), http_headers={"x-a": "2"})
    merged = merged_options(
        client,
        options,
        retries=None,
        plugin_options={"caching": {"ttl": 2}},
    )
    assert merged.timeout == Timeout(total=9)
    assert merged.retries is None
    assert merged.http_headers == {"x-a": "2", "X-B": "1"}
    assert merged.plugin_options == {"caching": {"ttl": 2, "bypass": True}}


def test_a_plain_number_is_a_promise_for_all_four_limits() -> None:
    assert Timeout.of(3) == Timeout(3, 3, 3, 3)
    assert Timeout.of(None) == Timeout(10, 120, 60, 600)


@pytest.mark.parametrize("value", [0, -1, True, "3", float("nan")])
def test_a_time_out_that_is_none_is_refused(value: object) -> None:
    with pytest.raises(ConfigurationError, match="timeout"):
        Timeout.of(value)  # type: ignore[arg-type]


@pytest.mark.parametrize("retries", [-1, True, "2", 1.5])
def test_unusable_retries(retries: object) -> None:
    with pytest.raises(ConfigurationError, match="retries"):
        merged_options(CallOptions(), retries=retries)


def test_the_constructor_names_the_argument(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ORQ_API_KEY", raising=False)
    with pytest.raises(ConfigurationError, match="api_key"):
        Orq(api_key=7)  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="on_truncation"):
        Orq(on_truncation="ignore")  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="plugin_options"):
        Orq(plugin_options={"caching": 3})  # type: ignore[dict-item]


@pytest.mark.parametrize(
    "given",
    [
        {"headers": [("a", "b")]},
        {"plugin_options": ["caching"]},
        {"on_truncation": ["raise"]},
        {"plugins": object()},
        {"transport": "requests"},
    ],
)
def test_arguments_of_another_type_are_named(given: dict[str, Any]) -> None:
    (name,) = given
    with pytest.raises(ConfigurationError, match=name):
        Orq(api_key=KEY, discover=False, **given)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"http_headers": [("a", "b")]}, "headers"),
        ({"plugin_options": ["caching"]}, "plugin_options"),
        ({"options": {"timeout": 5}}, "options"),
        ({"accept_header_override": "a\r\nX-Evil: b"}, "Accept"),
        ({"accept_header_override": 5}, "Accept"),
        ({"accept_header_override": "é☃"}, "Accept"),
    ],
)
def test_arguments_of_a_call_are_named(mode: Mode, given: dict[str, Any], told: str) -> None:
    async def body() -> None:
        transport = ScriptedTransport(is_async=mode.is_async)
        async with mode.client(api_key=KEY, transport=transport, discover=False) as client:
            with pytest.raises(ConfigurationError, match=told):
                await mode.create(client, model="fake/model", messages=[], **given)
            assert not transport.requests

    mode.run(body)


@pytest.mark.parametrize(
    "options",
    [CallOptions(), CallOptions(timeout=3, retries=RetryPolicy(), plugin_options={"a": {"b": 1}})],
)
def test_options_can_be_copied_and_pickled(options: CallOptions) -> None:
    assert pickle.loads(pickle.dumps(options)) == copy.deepcopy(options) == options


def test_a_client_does_not_show_its_key() -> None:
    with Orq(api_key=KEY, server_url="https://x.test", headers={"X-Secret": KEY}) as client:
        assert KEY not in repr(client)
        assert KEY not in repr(client._config)
        assert "x.test" in repr(client)


def test_with_options_shares_and_overrides() -> None:
    with Orq(api_key=KEY, server_url="https://x.test", timeout=5) as client:
        derived = client.with_options(timeout=7, server_url="https://y.test/v3/router")
        assert derived._core is client._core
        assert derived._config.url == "https://y.test/v3/router/chat/completions"
        assert derived._config.options.timeout == Timeout.of(7)
        assert derived.with_options()._config.url == derived._config.url
        derived.close()
        assert not client._core.closed
    assert client._core.closed


def test_seed_retry_settings_are_positional_too() -> None:
    from orq_core import BackoffStrategy

    config = RetryConfig("backoff", BackoffStrategy(1, 50, 1.1, 100), False)
    assert config.backoff.max_elapsed_time == 100
