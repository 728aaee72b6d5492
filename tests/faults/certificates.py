"""Certificates for servers, good and bad."""

from __future__ import annotations

import datetime as dt
import ssl
from pathlib import Path

import trustme


class Certificates:
    """An authority, and server contexts by the fault that their certificates have."""

    def __init__(self, folder: Path) -> None:
        self.authority = trustme.CA()
        self.bundle = folder / "authority.pem"
        self.authority.cert_pem.write_to_path(str(self.bundle))

    def server(self, name: str) -> ssl.SSLContext:
        """Return a context: good, self-signed (by another authority), expired, wrong-host."""
        authority = trustme.CA() if name == "self-signed" else self.authority
        hosts = {"wrong-host": ["elsewhere.example.test"]}.get(name, ["localhost", "127.0.0.1"])
        expires = None
        if name == "expired":
            expires = dt.datetime(2020, 1, 1, tzinfo=dt.timezone.utc)
        issued = (
            authority.issue_cert(*hosts, not_after=expires)
            if expires
            else (authority.issue_cert(*hosts))
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        if name == "tls-1.1":
            context.minimum_version = ssl.TLSVersion.TLSv1
            context.maximum_version = ssl.TLSVersion.TLSv1_1
        issued.configure_cert(context)
        return context
