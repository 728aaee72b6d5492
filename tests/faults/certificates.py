"""Certificates for servers, good and bad."""

from __future__ import annotations

import datetime as dt
import ssl
import warnings
from pathlib import Path

import trustme

_PAST = dt.datetime(2020, 1, 1, tzinfo=dt.timezone.utc)
_FUTURE = dt.datetime(2090, 1, 1, tzinfo=dt.timezone.utc)


class Certificates:
    """An authority, and server contexts by the fault that their certificates have."""

    def __init__(self, folder: Path) -> None:
        self.authority = trustme.CA()
        self.stranger = trustme.CA()
        self.bundle = folder / "authority.pem"
        self.authority.cert_pem.write_to_path(str(self.bundle))
        self._folder = folder
        self._servers: dict[str, ssl.SSLContext] = {}

    def server(self, name: str) -> ssl.SSLContext:
        """Return a context: good, self-signed (by another authority), by-itself, expired, future.

        wrong-host is for another name;

        tls-1.1 speaks nothing newer; mutual asks for the client's certificate.
        """
        if name not in self._servers:
            self._servers[name] = self._make(name)
        return self._servers[name]

    def _make(self, name: str) -> ssl.SSLContext:
        authority = self.stranger if name == "self-signed" else self.authority
        hosts = {"wrong-host": ["elsewhere.example.test"]}.get(name, ["localhost", "127.0.0.1"])
        issued = authority.issue_cert(
            *hosts,
            not_before=_FUTURE if name == "future" else None,
            not_after={"expired": _PAST, "future": _FUTURE.replace(year=2095)}.get(name),
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        if name == "tls-1.1":
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)
                context.minimum_version = ssl.TLSVersion.TLSv1
                context.maximum_version = ssl.TLSVersion.TLSv1_1
            context.set_ciphers("ALL:@SECLEVEL=0")
        if name == "mutual":
            context.verify_mode = ssl.CERT_REQUIRED
            self.authority.configure_trust(context)
        if name == "by-itself":
            path = self._folder / "by-itself.pem"
            path.write_bytes(self.stranger.private_key_pem.bytes() + self.stranger.cert_pem.bytes())
            context.load_cert_chain(path)
        else:
            issued.configure_cert(context)
        return context

    def files(self) -> dict[str, str]:
        """Return paths by name, for a row's ``client`` arguments.

        ``certificate`` of a client, with its key; ``strange`` one of another authority;
        ``keyless`` without its key; ``nothing`` is a file that holds no certificate.
        """
        paths = {name: self._folder / f"{name}.pem" for name in ("certificate", "strange")}
        for authority, path in zip((self.authority, self.stranger), paths.values(), strict=True):
            if not path.exists():
                issued = authority.issue_cert("client@example.test")
                issued.private_key_and_cert_chain_pem.write_to_path(str(path))
        nothing = self._folder / "nothing.pem"
        nothing.write_text("nothing\n")
        return {
            **{name: str(path) for name, path in paths.items()},
            "bundle": str(self.bundle),
            "keyless": str(self.bundle),
            "nothing": str(nothing),
        }
