"""From the name of a server to the first byte of its body."""

from __future__ import annotations

import socket

from orq_core import APITimeoutError, ConfigurationError, ConnectError
from tests.faults.places import NAME, fails, named, resolver, sleeps, url
from tests.faults.rows import beginnings, framing, handshakes, proxies
from tests.faults.scripts import (
    IN_TIME,
    NO_CONNECTION,
    OK,
    SHORT,
    UNMADE,
    good,
    limits,
    unconnected,
)
from tests.faults.table import JSON, STREAM, Expect, Row

REACHING = [
    Row(
        "refused",
        good,
        Expect(ConnectError, says=r"127\.0\.0\.1:\d+.*refused"),
        at=url("http://127.0.0.1:{closed}"),
        repeated=True,
    ),
    Row(
        "refused by every address of a name",
        good,
        Expect(ConnectError, says=rf"{NAME}:\d+.*refused"),
        at=named("::1", "127.0.0.1", port="{closed}"),
    ),
    Row(
        "a name that is not known",
        good,
        Expect(ConnectError, says=rf"{NAME}.*not known"),
        at=resolver(fails(socket.EAI_NONAME, "Name or service not known")),
    ),
    Row(
        "a name server that fails",
        good,
        Expect(ConnectError, says=rf"{NAME}.*Temporary failure"),
        at=resolver(fails(socket.EAI_AGAIN, "Temporary failure in name resolution")),
    ),
    Row("a name without an address", good, UNMADE, at=named()),
    Row(
        "a name with a label too long",
        good,
        Expect((ConnectError, ConfigurationError)),
        at=url(f"http://{'a' * 64}.example.test:{{port}}"),
    ),
    Row(
        "a name with an empty label",
        good,
        Expect((ConnectError, ConfigurationError)),
        at=url("http://one..example.test:{port}"),
    ),
    Row(
        "a port that is no port", good, Expect(ConfigurationError), at=url("http://localhost:99999")
    ),
    Row("a port that is no number", good, Expect(ConfigurationError), at=url("http://localhost:a")),
    unconnected("a name server that does not answer", at=resolver(sleeps(1.0))),
    unconnected(
        "a name server that does not answer, within total", total=True, at=resolver(sleeps(1.0))
    ),
    unconnected("a black hole", at=named("127.0.0.2", holes=("127.0.0.2",))),
    unconnected(
        "black holes behind each address of a name",
        at=named(
            "127.0.0.2", "127.0.0.3", "127.0.0.4", holes=("127.0.0.2", "127.0.0.3", "127.0.0.4")
        ),
    ),
    Row(
        "a black hole and a total that comes first",
        good,
        Expect(APITimeoutError, kind="total"),
        kinds=STREAM,
        timeout=limits(total=SHORT),
        at=named("127.0.0.2", holes=("127.0.0.2",)),
        after=SHORT * 0.9,
        within=IN_TIME,
    ),
    Row("the first address refuses, the second answers", good, OK, at=named("::1", "127.0.0.1")),
    Row(
        "the first address is a black hole, the second answers",
        good,
        OK,
        at=named("127.0.0.2", "127.0.0.1", holes=("127.0.0.2",)),
        within=1.5,
    ),
    Row(
        "the first address is a black hole of IPv6, the second answers",
        good,
        OK,
        at=named("::1", "127.0.0.1", holes=("::1",)),
        within=1.5,
    ),
    Row(
        "an address of IPv6 that refuses",
        good,
        Expect(ConnectError, says=r"\[::1\]:\d+"),
        at=url("http://[::1]:{closed}"),
    ),
    Row(
        "the first address is a black hole, the second refuses",
        good,
        NO_CONNECTION,
        timeout=limits(connect=0.4),
        kinds=JSON,
        at=named("127.0.0.2", "127.0.0.5", holes=("127.0.0.2",)),
        within=1.3,
    ),
]

ROWS = [
    *REACHING,
    *handshakes.ROWS,
    *beginnings.ROWS,
    *framing.ROWS,
    *proxies.ROWS,
]
