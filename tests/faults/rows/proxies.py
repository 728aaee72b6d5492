"""A proxy on the way."""

from __future__ import annotations

from orq_core import APIStatusError, ConnectError
from tests.faults.places import url
from tests.faults.scripts import (
    IN_TIME,
    NO_CONNECTION,
    OK,
    SHORT,
    TOO_LATE,
    good,
    head_of,
    limits,
    silent,
)
from tests.faults.table import JSON, Expect, Row, sends
from tests.raw_server import Connection, head

PROXY = {"proxy": "{server}"}
FAR = url("http://far.example.test")
FAR_TLS = url("https://far.example.test")
ROWS = [
    Row("a proxy", good, OK, at=FAR, client=PROXY),
    Row(
        "a proxy that refuses",
        good,
        Expect(ConnectError, says=r"far\.example\.test.*proxy 127\.0\.0\.1:9.*refused"),
        at=FAR,
        client={"proxy": "http://127.0.0.1:9"},
    ),
    Row(
        "a proxy that wants a password",
        head_of(
            "Proxy-Authenticate: Basic", "Content-Length: 0", body=b"", status="407 Who Are You"
        ),
        Expect(APIStatusError, attributes={"status_code": 407}),
        at=FAR,
        client=PROXY,
    ),
    Row(
        "a tunnel that wants a password",
        head_of(
            "Proxy-Authenticate: Basic", "Content-Length: 0", body=b"", status="407 Who Are You"
        ),
        Expect(ConnectError, says=r"(?i)far\.example\.test.*proxy.*407"),
        at=FAR_TLS,
        client=PROXY,
    ),
    Row(
        "a tunnel that is forbidden",
        head_of("Content-Type: text/html", "Content-Length: 4", body=b"<b/>", status="403 No"),
        Expect(ConnectError, says=r"(?i)proxy.*403"),
        at=FAR_TLS,
        client=PROXY,
    ),
    Row("a tunnel that is closed", sends(), Expect(ConnectError), at=FAR_TLS, client=PROXY),
    Row("a tunnel that is reset", Connection.reset, Expect(ConnectError), at=FAR_TLS, client=PROXY),
    Row(
        "a tunnel that is not HTTP",
        sends(b"SSH-2.0-fake\r\n"),
        Expect(ConnectError),
        at=FAR_TLS,
        client=PROXY,
    ),
    Row(
        "a tunnel to nowhere",
        sends(head(status="200 Connection established")),
        Expect(ConnectError),
        at=FAR_TLS,
        client=PROXY,
    ),
    Row(
        "a tunnel whose proxy keeps silent",
        silent(),
        NO_CONNECTION,
        kinds=JSON,
        timeout=limits(connect=SHORT),
        at=FAR_TLS,
        client=PROXY,
        after=SHORT * 0.9,
        within=IN_TIME,
    ),
    Row(
        "a tunnel whose proxy keeps silent, within total",
        silent(),
        TOO_LATE,
        kinds=JSON,
        timeout=limits(total=SHORT),
        at=FAR_TLS,
        client=PROXY,
        after=SHORT * 0.9,
        within=IN_TIME,
    ),
    Row(
        "a tunnel whose far end keeps silent",
        silent(head(status="200 Connection established")),
        NO_CONNECTION,
        kinds=JSON,
        timeout=limits(connect=SHORT),
        at=FAR_TLS,
        client=PROXY,
        after=SHORT * 0.9,
        within=IN_TIME,
    ),
    Row(
        "a tunnel whose answer drips",
        lambda connection: connection.drip(head(*["X: a"] * 20), 0.05),
        NO_CONNECTION,
        kinds=JSON,
        timeout=limits(connect=SHORT),
        at=FAR_TLS,
        client=PROXY,
        after=SHORT * 0.9,
        within=IN_TIME,
    ),
]
