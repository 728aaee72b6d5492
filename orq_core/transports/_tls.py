"""The TLS settings of one transport, read from files once."""

from __future__ import annotations

import os
import ssl
from typing import TYPE_CHECKING

from orq_core.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable


class Tls:
    """Makes the `ssl.SSLContext` of a transport when it is first asked for.

    ``default`` names the authorities where ``verify`` does not: the path of a file or folder, or
    None for the system's.
    """

    def __init__(
        self,
        verify: bool | str | ssl.SSLContext | None,
        cert: str | tuple[str, str] | None,
        default: Callable[[], str | None],
    ) -> None:
        """Note the settings; no file is read."""
        self._verify = verify
        self._cert = cert
        self._default = default
        self._context = verify if isinstance(verify, ssl.SSLContext) else None

    def context(self) -> ssl.SSLContext:
        """Return the one context; raises ConfigurationError for files that hold no certificate."""
        if self._context is None:
            try:
                self._context = self._make()
            except OSError as error:
                raise ConfigurationError(
                    "verify or cert: the file is missing or holds no certificate or no key",
                ) from error
        return self._context

    def _make(self) -> ssl.SSLContext:
        given = self._verify if isinstance(self._verify, str) else self._default()
        folder = given is not None and os.path.isdir(given)  # noqa: PTH112 - the path stays the caller's string, as which it goes to OpenSSL
        context = ssl.create_default_context(
            cafile=None if folder else given,
            capath=given if folder else None,
        )
        # Some servers ask for a client's certificate only once they know what it wants.
        context.post_handshake_auth = True
        if self._verify is False:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if self._cert is not None:
            files = (self._cert,) if isinstance(self._cert, str) else self._cert
            context.load_cert_chain(*files)
        return context
