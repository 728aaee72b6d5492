"""What the environment says about the way out, read once per transport."""

from __future__ import annotations

import errno
import os
import re
import ssl
from contextlib import suppress
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING, cast
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from orq_core.errors import ConfigurationError

if TYPE_CHECKING:
    from urllib.parse import SplitResult

_TUNNEL = re.compile(r"Tunnel connection failed: (\d+)")
_UNSENDABLE = re.compile(r"[\x00-\x1f\x7f]")
_BUNDLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")


class Proxies:
    """Answers which proxy a URL goes through: the one given, else the environment's.

    Only http and https proxies are spoken to. One of another kind raises ConfigurationError for
    the URLs it is meant for: to go straight would show the request to those it is kept from.
    """

    def __init__(self, given: str | None, *, passed_over: bool = False) -> None:
        """Read ``HTTP_PROXY``, ``HTTPS_PROXY``, ``ALL_PROXY`` and ``NO_PROXY`` now.

        ``passed_over``: the environment's of another kind are, for a session that has its own way
        to them.
        """
        self._given = _checked(given, "proxy") if given else None
        self._passed_over = passed_over
        self._found = {} if given else getproxies()
        self._answers: dict[tuple[str, str], str | None] = {}

    def of(self, url: str) -> str | None:
        """Return the proxy's URL, None to go straight."""
        if self._given:
            return self._given
        if not self._found:
            return None
        parts = urlsplit(url)
        key = (parts.scheme, parts.netloc)
        if key not in self._answers:
            self._answers[key] = self._answer(parts)
        return self._answers[key]

    def _answer(self, parts: SplitResult) -> str | None:
        kind = parts.scheme if self._found.get(parts.scheme) else "all"
        proxy = self._found.get(kind)
        if not proxy or proxy_bypass(parts.netloc) or self._is_near(parts.hostname):
            return None
        name = f"{kind}_proxy"
        try:
            return _checked(proxy, name if name in os.environ else name.upper())
        except ConfigurationError:
            if self._passed_over:
                return None
            raise

    def _is_near(self, host: str | None) -> bool:
        """Tell whether ``NO_PROXY`` has an address or its network; urllib compares texts."""
        for entry in self._found.get("no", "").split(","):
            with suppress(ValueError):
                network = ip_network(entry.strip().strip("[]"), strict=False)
                if ip_address(host or "") in network:
                    return True
        return False


def _checked(proxy: object, name: str) -> str:
    """Return a proxy's URL, with a scheme; raises ConfigurationError for what can't be used."""
    text = proxy.strip() if isinstance(proxy, str) else ""
    url = text if "://" in text else f"http://{text}"
    known = ""
    with suppress(ValueError):
        parts = urlsplit(url)
        # Asking for the port checks it.
        if parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0:
            known = parts.scheme + url[len(parts.scheme) :]
    if not known or _UNSENDABLE.search(url) or " " in place_of(url):
        # Without a cause and the URL, which may have a password.
        raise ConfigurationError(
            f"{name}: not the URL of an http or https proxy; write http://host:port, or for one of "
            "another kind, such as SOCKS, pass a session= of your own that speaks it",
        )
    return known


def ca_bundle() -> str | None:
    """Return the path of the certificate authorities that the environment names."""
    return next((os.environ[name] for name in _BUNDLES if os.environ.get(name)), None)


def checked_session(session: object, kind: type[object]) -> None:
    """Raise ConfigurationError for a session of another library."""
    if not isinstance(session, (kind, type(None))):
        library = kind.__module__.partition(".")[0]
        raise ConfigurationError(
            f"session: expected a {library}.{kind.__name__}, got {type(session).__name__}",
        )


def checked_settings(verify: object, cert: object, limit: object) -> None:
    """Raise ConfigurationError for settings of a transport that are of another kind.

    Also for a CA bundle or client certificate that is not there.
    """
    if not isinstance(verify, (bool, str, ssl.SSLContext, type(None))):
        raise ConfigurationError(
            "verify: expected True, False, the path of a CA bundle as a string or an "
            f"ssl.SSLContext, got {type(verify).__name__}",
        )
    files = [cert] if isinstance(cert, (str, type(None))) else cert
    if not isinstance(files, (list, tuple)) or not all(
        isinstance(path, (str, type(None))) for path in cast("list[object]", files)
    ):
        raise ConfigurationError(
            "cert: expected the path of a client certificate as a string, or a pair with its key",
        )
    for path in (verify, *cast("list[object]", files)):
        if isinstance(path, str) and not os.path.exists(path):  # noqa: PTH110 - the path stays the caller's string, as which it goes to OpenSSL
            raise ConfigurationError(f"verify or cert: there is no file {path}")
    if limit is not None and (not isinstance(limit, int) or isinstance(limit, bool) or limit < 1):
        raise ConfigurationError(
            "max_connections: expected a positive number, or None for no limit",
        )


def causes_of(error: BaseException) -> list[BaseException]:
    """List an exception and those it was made from, the first cause last."""
    chain: list[BaseException] = [error]
    while True:
        last = chain[-1]
        inner = getattr(last, "reason", None) or last.__cause__ or last.__context__
        inner = inner or next((each for each in last.args if isinstance(each, Exception)), None)
        if not isinstance(inner, BaseException) or inner in chain:
            return chain
        chain.append(inner)


def reason_of(error: BaseException) -> str:
    """Name a backend's failure without its text, which may hold a URL's query or a header."""
    deepest = causes_of(error)[-1]
    # urllib3's and aiohttp's ways of saying what came in place of a tunnel.
    refusal = _TUNNEL.match(str(deepest))
    status = refusal[1] if refusal else getattr(deepest, "status", None)
    if status:
        return f"status {status}"
    if not isinstance(deepest, OSError) or not deepest.strerror:
        return type(deepest).__name__
    code = deepest.errno
    if type(deepest).__module__ == "builtins" and code is not None and code in errno.errorcode:
        # What asyncio says in its place lists addresses as Python writes them.
        return os.strerror(code)
    return deepest.strerror


def place_of(url: str, proxy: str | None = None) -> str:
    """Return host and port of a URL, and of the proxy on the way, for messages."""
    place = urlsplit(url).netloc.rpartition("@")[2]
    return place if proxy is None else f"{place} through the proxy {place_of(proxy)}"
