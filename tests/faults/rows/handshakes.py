"""Certificates and the handshake of TLS."""

from __future__ import annotations

from orq_core import APIConnectionError, ConfigurationError, ConnectError
from tests.faults.places import url
from tests.faults.scripts import BROKEN, OK, UNMADE, first, good, hello_then, unconnected
from tests.faults.table import Expect, Row
from tests.raw_server import head

ROWS = [
    Row("a good certificate", good, OK, tls="good"),
    Row(
        "self-signed",
        good,
        Expect(ConnectError, says=r"localhost:\d+.*certificate"),
        tls="self-signed",
    ),
    Row(
        "signed by itself",
        good,
        Expect(ConnectError, says=r"localhost:\d+.*certificate"),
        tls="by-itself",
    ),
    Row("expired", good, Expect(ConnectError, says=r"certificate.*expired"), tls="expired"),
    Row("not yet valid", good, Expect(ConnectError, says="certificate.*not yet"), tls="future"),
    Row(
        "wrong host",
        good,
        Expect(ConnectError, says=r"certificate.*(localhost|[Hh]ost)"),
        tls="wrong-host",
    ),
    Row("TLS 1.1 only", good, Expect(ConnectError, says=r"(?i)tls|ssl|protocol"), tls="tls-1.1"),
    Row("mutual TLS", good, OK, tls="mutual", client={"cert": "{certificate}"}),
    Row(
        "mutual TLS without a certificate",
        good,
        Expect(APIConnectionError, says="(?i)certificate"),
        tls="mutual",
    ),
    Row(
        "mutual TLS with a stranger's certificate",
        good,
        Expect(APIConnectionError, says="(?i)unknown ca|certificate"),
        tls="mutual",
        client={"cert": "{strange}"},
    ),
    Row(
        "a client certificate without its key",
        good,
        Expect(ConfigurationError, says="cert"),
        tls="mutual",
        client={"cert": "{keyless}"},
    ),
    Row(
        "authorities in a file that holds none",
        good,
        Expect(ConfigurationError, says="verify"),
        tls="good",
        client={"verify": "{nothing}"},
    ),
    Row(
        "a plain port that is asked for TLS",
        good,
        Expect(ConnectError, says=r"localhost:\d+.*(?i:tls|ssl)"),
        before=first(
            lambda connection: (
                connection.sock.recv(65536),
                connection.send(head("Content-Length: 0", status="400 Bad Request")),
            ),
        ),
        at=url("https://localhost:{port}"),
    ),
    Row(
        "a TLS port that is asked in plain",
        good,
        BROKEN,
        tls="good",
        at=url("http://localhost:{port}"),
    ),
    Row("closed in the handshake", good, UNMADE, tls="good", before=first(lambda _: None)),
    # After the first words: before them, `ssl` of Python 3.11 forgets to close its socket.
    Row(
        "reset in the handshake",
        good,
        UNMADE,
        tls="good",
        before=first(lambda connection: (connection.sock.recv(65536), connection.reset())),
    ),
    Row(
        "closed after the first words of the handshake",
        good,
        UNMADE,
        tls="good",
        before=first(lambda connection: connection.sock.recv(65536)),
    ),
    Row(
        "a handshake that is not one",
        good,
        Expect(ConnectError, says="(?i)tls|ssl"),
        tls="good",
        before=hello_then(b"SSH-2.0-fake\r\n"),
    ),
    unconnected("a handshake that stalls", tls="good", before=hello_then()),
    unconnected(
        "a handshake that stalls, within total", total=True, tls="good", before=hello_then()
    ),
    unconnected(
        "a handshake that drips",
        tls="good",
        before=hello_then(
            *[bytes([each]) for each in b"\x16\x03\x03\x40\x00\x02\x00\x3f\xfc" + b"\0" * 40],
            pause=0.05,
        ),
    ),
]
