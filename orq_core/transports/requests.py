"""The blocking transport, on requests and the urllib3 beneath it."""

from __future__ import annotations

import os
from contextlib import suppress
from functools import lru_cache
from typing import TYPE_CHECKING, Any, cast

import requests
from requests.adapters import HTTPAdapter
from requests.utils import DEFAULT_CA_BUNDLE_PATH
from urllib3.util import Timeout

from orq_core.errors import OrqError
from orq_core.transports._connections import LimitedPool, LimitedTlsPool, using
from orq_core.transports._environment import Proxies, ca_bundle, checked_session, checked_settings
from orq_core.transports._framing import check_framing
from orq_core.transports._requests_failure import FAILURES, failure
from orq_core.transports._requests_response import RequestsResponse
from orq_core.transports._tls import Tls
from orq_core.transports._underway import Underway

if TYPE_CHECKING:
    import ssl

    from urllib3.response import HTTPResponse as Raw

    from orq_core.transports import HttpRequest

_KEPT = 64  # idle connections to one host
_PLACES = 64  # URLs whose pool is remembered
_POOLS = {"http": LimitedPool, "https": LimitedTlsPool}


class RequestsTransport:
    """Sends through a connection pool of its own, or through your `requests.Session`.

    ``session``: yours; its headers, adapters, proxies, ``verify`` and ``cert`` are honoured, its
    redirects, cookies and authentication are not, and it stays open. ``proxy``: the URL of an http
    or https proxy, default from the environment; for SOCKS, your session. ``verify``: False, the
    path of a CA bundle, or an `ssl.SSLContext`. ``cert``: path of a client certificate, or a pair
    with its key. ``max_connections``: how many at once to one host, default unlimited; a call
    beyond them waits for ``timeout.connect``. ``max_response_bytes`` bounds
    `RequestsResponse.read`.

    Usable from any number of threads and after a fork. With your own session, an answer's head is
    bounded per read and not as a whole: its connections are not of our making.
    """

    is_async = False

    def __init__(
        self,
        *,
        session: requests.Session | None = None,
        proxy: str | None = None,
        verify: bool | str | ssl.SSLContext | None = None,
        cert: str | tuple[str, str] | None = None,
        max_connections: int | None = None,
        max_response_bytes: int = 64 * 2**20,
    ) -> None:
        """Note the settings; no connection is made."""
        checked_session(session, requests.Session)
        checked_settings(verify, cert, max_connections)
        self._given = session
        self._proxies = Proxies(proxy)
        # Like requests, not like the system: Python does not find the authorities everywhere.
        self._tls = Tls(verify, cert, lambda: ca_bundle() or DEFAULT_CA_BUNDLE_PATH)
        self._limit = max_connections
        self._max_bytes = max_response_bytes
        self._pid = os.getpid()
        self._adapter = _Adapter(self._tls, self._limit)
        self._inherited: list[_Adapter] = []
        self._underway = Underway()

    async def send(self, http: HttpRequest) -> RequestsResponse:
        """Send; see `Transport`."""
        if self._pid != os.getpid():
            self._start_anew()
        http.limits.enter("connect")
        connect_at, underway = None, self._underway
        if self._given is not None:
            connect_at = http.limits.phase_at
            http.limits.enter("first_event")
        proxy = None if self._given is not None else self._proxies.of(http.url)
        try:
            with using(http.limits, underway):
                raw = self._send(http, proxy)
        except OrqError:
            raise
        except FAILURES as error:
            raise failure(error, http, proxy, connect_at) from error
        try:
            named = raw.headers.getlist
            check_framing(http.url, raw.status, named("Content-Length"), named("Transfer-Encoding"))
        except OrqError:
            raw.close()
            raw.release_conn()
            raise
        response = RequestsResponse(raw, http, self._max_bytes)
        underway.opened(response)
        return response

    def _send(self, http: HttpRequest, proxy: str | None) -> Raw:
        left = http.limits.remaining()
        if self._given is not None:
            connect = http.limits.timeout.connect
            if left is not None:
                connect = left if connect is None else min(connect, left)
            return self._send_given(self._given, http, (connect, left))
        return self._adapter.ask(http, proxy)

    def _send_given(
        self,
        session: requests.Session,
        http: HttpRequest,
        timeout: tuple[float | None, float | None],
    ) -> Raw:
        request = requests.Request(
            http.method,
            http.url,
            headers=http.headers,
            data=http.body,
            # Any auth keeps requests from putting ~/.netrc or the session's in its place.
            auth=_as_it_is,
            cookies={},
        )
        prepared = session.prepare_request(request)
        if not any(name.lower() == "cookie" for name in http.headers):
            # The session's.
            prepared.headers.pop("Cookie", None)
        settings: Any = session.merge_environment_settings(
            http.url,
            {},
            stream=True,
            verify=None,
            cert=None,
        )
        answer = session.get_adapter(http.url).send(
            prepared, timeout=cast("Any", timeout), **settings
        )
        return answer.raw

    def _start_anew(self) -> None:
        """Leave what a fork took over to the parent."""
        # Kept and never used again: closing it here would speak on the parent's sockets.
        self._inherited.append(self._adapter)
        self._adapter = _Adapter(self._tls, self._limit)
        # What it has is the parent's, of whose threads one may have held its lock.
        self._underway = Underway()
        self._pid = os.getpid()

    async def close(self) -> None:
        """Close every connection, which ends those who read or wait for an answer's head.

        A session of yours stays open, and who waits for a head through it goes on waiting.
        """
        if self._pid != os.getpid():
            return
        underway, self._underway = self._underway, Underway()
        underway.end()
        self._adapter.close()


def _as_it_is(prepared: requests.PreparedRequest) -> requests.PreparedRequest:
    return prepared


@lru_cache(maxsize=16)
def _timeout(read: float | None) -> Timeout:
    """Return what urllib3 puts on a socket; `LimitedReader` leaves it there if it fits."""
    return Timeout(connect=None, read=read)


class _Adapter(HTTPAdapter):
    """Uses connections that know the limits, and one TLS context; repeats nothing by itself."""

    def __init__(self, tls: Tls, limit: int | None) -> None:
        self._tls = tls
        self._found: dict[tuple[str, str | None], tuple[Any, str]] = {}
        # A pool that urllib3 forgets sooner is not closed while an error's traceback refers to it.
        super().__init__(_PLACES, limit or _KEPT, pool_block=limit is not None)

    def ask(self, http: HttpRequest, proxy: str | None) -> Raw:
        """Send; `HTTPAdapter.send` finds out anew for each call what is remembered here."""
        place = http.url, proxy
        found = self._found.get(place)
        if found is None:
            if len(self._found) >= _PLACES:
                self._found.clear()
            found = self._found[place] = self._place(http, proxy)
        pool, target = found
        raw: Raw = pool.urlopen(
            http.method,
            target,
            http.body,
            {**http.headers, "Content-Length": str(len(http.body))},
            retries=self.max_retries,
            redirect=False,
            assert_same_host=False,
            timeout=_timeout(http.limits.timeout.first_event),
            preload_content=False,
            decode_content=False,
        )
        return raw

    def _place(self, http: HttpRequest, proxy: str | None) -> tuple[Any, str]:
        """Return the pool of a URL, and what its requests name."""
        asked = requests.PreparedRequest()
        asked.url = http.url
        proxies = {} if proxy is None else {"http": proxy, "https": proxy}
        pool = self.get_connection_with_tls_context(asked, True, proxies)
        return pool, self.request_url(asked, proxies)

    def close(self) -> None:
        # urllib3 closes a pool's connections when nobody refers to it any more; an error's
        # traceback may, for as long as somebody keeps it.
        for manager in (self.poolmanager, *self.proxy_manager.values()):
            for place in tuple(manager.pools.keys()):
                with suppress(KeyError):
                    manager.pools[place].close()
        self._found.clear()
        super().close()

    def build_connection_pool_key_attributes(
        self, request: requests.PreparedRequest, *args: Any, **kwargs: Any
    ) -> tuple[Any, Any]:
        place, _ = super().build_connection_pool_key_attributes(request, *args, **kwargs)
        secure = place["scheme"] == "https"
        return place, {"ssl_context": self._tls.context()} if secure else {}

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        if proxy.startswith("https:"):
            kwargs["proxy_ssl_context"] = self._tls.context()
        manager = super().proxy_manager_for(proxy, **kwargs)
        manager.pool_classes_by_scheme = _POOLS
        return manager
