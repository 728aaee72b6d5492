"""A client's settings: arguments first, then ``ORQ_*`` variables, then defaults."""

from __future__ import annotations

import inspect
import ipaddress
import os
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from attrs import define, field

from orq_core.call import CallOptions
from orq_core.errors import ConfigurationError
from orq_core.limits import Timeout
from orq_core.models.base import UNSET
from orq_core.retry import retries_checked

DEFAULT_SERVER = "https://my.orq.ai"
ROUTER_PATH = "/v2/router"
ENDPOINT = "/chat/completions"

ApiKey = str | Callable[[], str | Awaitable[str | None] | None] | None

_VERSION = re.compile(r"/v\d+[a-z0-9]*(/|$)")
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+\Z")
_UNSENDABLE = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
# With one that does not fit the body, its rest is the server's next request.
_FRAMING = frozenset({"content-length", "transfer-encoding"})


@define(frozen=True)
class Config:
    """What a client was told, checked; shared by nothing that changes it."""

    api_key: ApiKey = field(repr=False)
    url: str
    options: CallOptions


def configure(
    *,
    api_key: ApiKey,
    server_url: str | None,
    options: CallOptions,
) -> Config:
    """Check a client's arguments and fill in what the environment says.

    Raises ConfigurationError naming the argument.
    """
    if api_key is None:
        api_key = os.environ.get("ORQ_API_KEY")
    if api_key is not None and not isinstance(api_key, str) and not callable(api_key):
        raise ConfigurationError(
            f"api_key: expected a string or a function, got {type(api_key).__name__}",
        )
    if isinstance(api_key, str) and api_key:
        authorization(api_key)
    server_url = server_url or os.environ.get("ORQ_SERVER_URL") or DEFAULT_SERVER
    return Config(api_key, endpoint(server_url), options)


def endpoint(server_url: object) -> str:
    """Return the URL of chat completions on a server.

    A bare host gets the router's path; a path that names a version (``/v3/router``, ``/v1``) is
    taken as it is; nothing is doubled.
    """
    if not isinstance(server_url, str):
        raise ConfigurationError(
            f"server_url: expected a string, got {type(server_url).__name__}",
        )
    try:
        parts = urlsplit(server_url.strip())
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise ConfigurationError(
            "server_url: not a URL; write https://host[:port][/path]"
        ) from error
    if parts.scheme not in {"http", "https"} or not host or port == 0:
        raise ConfigurationError("server_url: not an http(s) URL; write https://host[:port][/path]")
    if parts.username or parts.password:
        raise ConfigurationError(
            "server_url: a user name or password in the URL is not sent; use api_key= or headers=",
        )
    if re.search(r"[\x00-\x20\x7f]", server_url.strip()):
        raise ConfigurationError("server_url: white space and control characters are not allowed")
    path = parts.path.rstrip("/")
    if not path.endswith(ENDPOINT):
        if not _VERSION.search(path):
            path += ROUTER_PATH
        path += ENDPOINT
    return urlunsplit((parts.scheme, parts.netloc, path, parts.query, ""))


def is_loopback(url: str) -> bool:
    """Tell whether a URL names this machine, where a missing key is no mistake."""
    host = urlsplit(url).hostname or ""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def authorization(key: str) -> str:
    """Return a key's Authorization header; raises ConfigurationError for an unsendable key."""
    if _UNSENDABLE.search(key) or not key.isascii() or key != key.strip():
        raise ConfigurationError(
            "api_key: has white space at an end, a line break or a character that a header can't "
            "carry; was it read with its newline? use key.strip()",
        )
    return bearer(key)


def bearer(key: str) -> str:
    """Return the Authorization header of a key that was checked."""
    return key if key[:7].lower() == "bearer " else f"Bearer {key}"


async def resolve_key(api_key: ApiKey, url: str) -> str | None:
    """Ask for the key of one call; a function may be async under asyncio.

    Raises ConfigurationError when there is none and the server is not on this machine.
    """
    if callable(api_key):
        answer: Any = api_key()
        if inspect.isawaitable(answer):
            answer = await answer
        if answer is not None and not isinstance(answer, str):
            raise ConfigurationError(
                f"api_key: the function returned {type(answer).__name__}, not a string",
            )
        api_key = answer
    if api_key:
        authorization(api_key)
        return api_key
    if is_loopback(url):
        return None
    raise ConfigurationError("api_key: no key; pass api_key= or set ORQ_API_KEY")


def checked_headers(headers: Mapping[Any, Any]) -> dict[str, str]:
    """Return headers as a dict; raises ConfigurationError naming one that can't be sent."""
    checked: dict[str, str] = {}
    if not isinstance(headers, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance] - callers without a type checker pass other things, which are named in the error
        raise ConfigurationError(f"headers: expected a mapping, got {type(headers).__name__}")
    for name, value in headers.items():
        if not isinstance(name, str) or not _TOKEN.match(name):
            raise ConfigurationError("headers: a header name must be a token of ASCII letters")
        if name.lower() in _FRAMING:
            raise ConfigurationError(f"headers[{name!r}]: says where the body ends; leave it out")
        if not isinstance(value, str):
            raise ConfigurationError(
                f"headers[{name!r}]: expected a string, got {type(value).__name__}",
            )
        try:
            value.encode("latin-1")
        except UnicodeEncodeError as error:
            raise ConfigurationError(f"headers[{name!r}]: not latin-1 text; encode it") from error
        if _UNSENDABLE.search(value):
            raise ConfigurationError(f"headers[{name!r}]: has a line break or control character")
        checked[name] = value
    return checked


def merged_options(
    base: CallOptions,
    options: CallOptions | None = None,
    **given: Any,
) -> CallOptions:
    """Lay a call's options over the client's; keywords, but for None, win over both.

    ``retries=None`` is a choice; there UNSET says that none was made. ``http_headers`` and
    ``plugin_options`` are merged, plugin by plugin, key by key.
    """
    retries = given.pop("retries", UNSET)
    if not isinstance(options, (CallOptions, type(None))):  # pyright: ignore[reportUnnecessaryIsInstance] - callers without a type checker pass other things, which are named in the error
        raise ConfigurationError(
            f"options: expected CallOptions, got {type(options).__name__}; "
            "each of its fields is a keyword argument too",
        )
    nothing_given = retries is UNSET and [*given.values()].count(None) == len(given)
    if options is None and nothing_given and isinstance(base.timeout, Timeout):
        # A client's own options are merged ones already.
        return base
    layers = [base, *([options] if options is not None else [])]
    merged: dict[str, Any] = {}
    for name in ("timeout", "server_url", "accept_header_override", "on_truncation"):
        values = [given.get(name), *(getattr(layer, name) for layer in reversed(layers))]
        merged[name] = next((value for value in values if value is not None), None)
    policies = [retries, *(layer.retries for layer in reversed(layers))]
    merged["retries"] = next((value for value in policies if value is not UNSET), UNSET)
    if merged["retries"] is not UNSET:
        retries_checked(merged["retries"])
    merged["timeout"] = Timeout.of(merged["timeout"])
    if merged["accept_header_override"] is not None:
        checked_headers({"Accept": merged["accept_header_override"]})
    if merged["on_truncation"] not in (None, "raise", "warn", "accept"):
        raise ConfigurationError("on_truncation: expected 'raise', 'warn' or 'accept'")
    headers: dict[str, str] = {}
    plugin_options: dict[str, dict[str, Any]] = {}
    extra = CallOptions(
        http_headers=given.get("http_headers") or {},
        plugin_options=given.get("plugin_options") or {},
    )
    for layer in [*layers, extra]:
        _overlay(headers, checked_headers(layer.http_headers))
        if not isinstance(layer.plugin_options, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance] - callers without a type checker pass other things, which are named in the error
            raise ConfigurationError(
                f"plugin_options: expected a mapping, got {type(layer.plugin_options).__name__}",
            )
        for plugin, settings in layer.plugin_options.items():
            if not isinstance(settings, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance] - callers without a type checker pass other things, which are named in the error
                raise ConfigurationError(
                    f"plugin_options[{plugin!r}]: expected a mapping of settings, "
                    f"got {type(settings).__name__}",
                )
            plugin_options.setdefault(plugin, {}).update(settings)
    return CallOptions(**merged, http_headers=headers, plugin_options=plugin_options)


def _overlay(headers: dict[str, str], more: Mapping[str, str]) -> None:
    """Update headers whose names differ in case only."""
    names = {name.lower(): name for name in headers}
    for name, value in more.items():
        headers.pop(names.get(name.lower(), name), None)
        headers[name] = value
