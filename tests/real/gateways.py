"""What stands between a client and a router: nginx, and a proxy that asks for a password."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import trustme

from tests.real.conftest import free_port

PATIENCE = 20.0  # seconds that a server may take to listen
USER = "fake-user"
PASSWORD = "fake-password"

CONFIGURATION = """
{user}
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 256; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    proxy_http_version 1.1;
    proxy_set_header Connection "";
    gzip_types text/event-stream application/json;
    gzip_min_length 1;
    gzip_proxied any;
    server {{
        listen 127.0.0.1:{plain};
        location /plain/ {{ proxy_pass http://127.0.0.1:{upstream}/; proxy_buffering off; }}
        location /buffered/ {{ proxy_pass http://127.0.0.1:{upstream}/; proxy_buffering on; }}
        location /gzip/ {{
            gzip on;
            proxy_set_header Accept-Encoding "";
            proxy_pass http://127.0.0.1:{upstream}/;
        }}
        location /down/ {{ proxy_pass http://127.0.0.1:{nobody}/; }}
        location /slow/ {{ proxy_pass http://127.0.0.1:{upstream}/; proxy_read_timeout 1s; }}
    }}
    server {{
        listen 127.0.0.1:{tls} ssl;
        ssl_certificate {folder}/server.pem;
        ssl_certificate_key {folder}/server.pem;
        location / {{ proxy_pass http://127.0.0.1:{upstream}/; proxy_buffering off; }}
    }}
    server {{
        listen 127.0.0.1:{mutual} ssl;
        ssl_certificate {folder}/server.pem;
        ssl_certificate_key {folder}/server.pem;
        ssl_client_certificate {folder}/authority.pem;
        ssl_verify_client on;
        location / {{ proxy_pass http://127.0.0.1:{upstream}/; proxy_buffering off; }}
    }}
}}
"""


def missing(what: str) -> None:
    """Skip the test, or fail it where every real server is wanted."""
    if os.environ.get("ORQ_REQUIRE_REAL"):
        pytest.fail(what)
    pytest.skip(what)


def wait_for(port: int) -> None:
    latest = time.monotonic() + PATIENCE
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            assert time.monotonic() < latest, "the server did not start"
            time.sleep(0.02)
        else:
            return


class Nginx:
    """nginx before a router, plain, with TLS, and with TLS that asks for a certificate."""

    def __init__(self, folder: Path, upstream: int) -> None:
        binary = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
        if binary is None:
            missing("nginx is not installed")
        authority = trustme.CA()
        self.bundle = folder / "authority.pem"
        authority.cert_pem.write_to_path(str(self.bundle))
        server = authority.issue_cert("localhost", "127.0.0.1")
        server.private_key_and_cert_chain_pem.write_to_path(str(folder / "server.pem"))
        client = authority.issue_cert("client.example.test")
        self.client_certificate = folder / "client.pem"
        client.private_key_and_cert_chain_pem.write_to_path(str(self.client_certificate))
        names = ("plain", "tls", "mutual", "nobody")
        self.ports = {name: free_port() for name in names}
        configuration = folder / "nginx.conf"
        configuration.write_text(
            CONFIGURATION.format(
                # Its workers give up their rights, and with them this folder.
                user="user root;" if os.geteuid() == 0 else "",
                folder=folder,
                upstream=upstream,
                **self.ports,
            )
        )
        self._process = subprocess.Popen(
            [binary, "-p", str(folder), "-c", str(configuration), "-g", "daemon off;"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        wait_for(self.ports["mutual"])

    def url(self, name: str) -> str:
        return f"http://127.0.0.1:{self.ports['plain']}/{name}/v2/router"

    def tls_url(self, name: str) -> str:
        return f"https://localhost:{self.ports[name]}/v2/router"

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(PATIENCE)


class Proxy:
    """proxy.py, which asks for a user name and a password."""

    def __init__(self) -> None:
        try:
            import proxy  # noqa: F401
        except ImportError:
            missing("the package proxy.py is not installed")
        self.port = free_port()
        self._process = subprocess.Popen(
            [
                *(sys.executable, "-m", "proxy", "--hostname", "127.0.0.1"),
                *("--port", str(self.port), "--num-workers", "1", "--num-acceptors", "1"),
                *("--basic-auth", f"{USER}:{PASSWORD}", "--log-level", "ERROR"),
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        wait_for(self.port)

    def url(self, user: str = f"{USER}:{PASSWORD}@") -> str:
        return f"http://{user}127.0.0.1:{self.port}"

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(PATIENCE)
