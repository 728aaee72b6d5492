"""What the environment says about the way out, read once per transport."""

from __future__ import annotations

import errno
import os
import re
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from orq_core.errors import ConfigurationError

_TUNNEL = re.compile(r"Tunnel connection failed: (\d+)")
_BUNDLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")


class Proxies:
    """Answers which proxy a URL goes through: the one given, else the environment's."""

    def __init__(self, given: str | None) -> None:
        """Read ``HTTP_PROXY``, ``HTTPS_PROXY``, ``ALL_PROXY`` and ``NO_PROXY`` now."""
        self._given = given
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
            straight = bool(proxy_bypass(parts.netloc))
            proxy = self._found.get(parts.scheme) or self._found.get("all")
            self._answers[key] = None if straight else proxy
        return self._answers[key]


def ca_bundle() -> str | None:
    """Return the path of the certificate authorities that the environment names."""
    return next((os.environ[name] for name in _BUNDLES if os.environ.get(name)), None)


def checked_files(verify: object, cert: str | tuple[str, str] | None) -> None:
    """Raise ConfigurationError for a CA bundle or client certificate that is not there."""
    named = [verify, *((cert,) if isinstance(cert, str) else cert or ())]
    for path in named:
        if isinstance(path, str) and not os.path.exists(path):  # noqa: PTH110 - a str, as given
            raise ConfigurationError(f"verify or cert: there is no file {path}")


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
