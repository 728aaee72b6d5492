"""From the name of a server to the first byte of its body."""

from __future__ import annotations

import contextlib
import json
import socket
import time
from collections.abc import Callable
from typing import Any

from orq_core import (
    APIConnectionError,
    APIStatusError,
    APITimeoutError,
    ConfigurationError,
    ConnectError,
    ResponseDecodeError,
    StreamError,
    Timeout,
)
from orq_core.testing import DONE, chunk, completion, event
from tests.faults.places import NAME, fails, named, resolver, sleeps, url
from tests.faults.table import JSON, STREAM, Expect, Row, Script, sends
from tests.raw_server import LAST_CHUNK, Connection, chunked, head

BODY = json.dumps(completion("hello")).encode()
EVENTS = event(chunk("hello", role="assistant")) + event(chunk(finish_reason="stop")) + DONE
LENGTH = f"Content-Length: {len(BODY)}"
TYPE = "Content-Type: application/json"
OK = Expect(text="hello")
# A request may have gone out, so it is no ConnectError: repeating it might ask twice.
BROKEN = Expect(APIConnectionError, attributes={"__class__": APIConnectionError})
UNMADE = Expect(ConnectError, says=r"could not connect to \S+:\d+")
NO_CONNECTION = Expect(APITimeoutError, kind="connect")
NO_EVENT = Expect(APITimeoutError, kind="first_event")
SHORT = 0.3
IN_TIME = 1.0  # seconds by which a limit of SHORT must have ended a call, on a busy machine


def good(connection: Connection) -> None:
    """Answer as asked."""
    if b'"stream":true' in connection.request.replace(b" ", b""):
        connection.send(head("Content-Type: text/event-stream", "Transfer-Encoding: chunked"))
        connection.send(chunked(EVENTS) + LAST_CHUNK)
    else:
        connection.send(head(TYPE, LENGTH) + BODY)


def after(*pieces: bytes, pause: float = 0.0) -> Script:
    """Send something first, then answer as asked."""

    def script(connection: Connection) -> None:
        for piece in pieces:
            connection.send(piece)
            time.sleep(pause)
        good(connection)

    return script


def silent(*pieces: bytes) -> Script:
    """Send something, then nothing, and stay."""

    def script(connection: Connection) -> None:
        sends(*pieces)(connection)
        connection.wait_for_client()

    return script


def endless(piece: bytes, pause: float = 0.0) -> Script:
    """Send this until the client leaves."""

    def script(connection: Connection) -> None:
        while True:
            connection.send(piece)
            time.sleep(pause)

    return script


def first(action: Callable[[Connection], Any], *, goes_on: bool = False) -> Any:
    """Act before anything is read."""

    def before(connection: Connection) -> bool:
        with contextlib.suppress(OSError):
            action(connection)
        return goes_on

    return before


def hello_then(*pieces: bytes, pause: float = 0.0) -> Any:
    """Read the client's first words, then send pieces and stay until it leaves."""

    def action(connection: Connection) -> None:
        connection.sock.recv(65536)
        for piece in pieces:
            connection.send(piece)
            time.sleep(pause)
        connection.wait_for_client()

    return first(action)


def head_of(*lines: str, body: bytes = BODY, status: str = "200 OK") -> Script:
    return sends(head(*lines, status=status) + body)


def limits(**given: float) -> Timeout:
    return Timeout(**{"connect": 5, "first_event": 5, "idle": 5, "total": 10, **given})


def late(name: str, serve: Script, **given: Any) -> Row:
    """Make a row of which the first event never comes."""
    return Row(
        name,
        serve,
        given.pop("expect", NO_EVENT),
        kinds=given.pop("kinds", JSON),
        timeout=limits(first_event=SHORT),
        after=SHORT * 0.9,
        within=IN_TIME,
        **given,
    )


def unconnected(name: str, **given: Any) -> Row:
    """Make a row of which the connection never stands."""
    return Row(
        name,
        good,
        NO_CONNECTION,
        kinds=JSON,
        timeout=limits(connect=SHORT),
        after=SHORT * 0.9,
        within=IN_TIME,
        **given,
    )


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
    Row("a port that is no port", good, Expect(ConfigurationError), at=url("http://localhost:99999")),
    Row("a port that is no number", good, Expect(ConfigurationError), at=url("http://localhost:a")),
    unconnected("a name server that does not answer", at=resolver(lambda: sleeps(1.2)())),
    unconnected("a black hole", at=named("127.0.0.2", holes=("127.0.0.2",))),
    unconnected(
        "black holes behind each address of a name",
        at=named("127.0.0.2", "127.0.0.3", "127.0.0.4", holes=("127.0.0.2", "127.0.0.3", "127.0.0.4")),
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
        "the first address is a black hole, the second refuses",
        good,
        NO_CONNECTION,
        timeout=limits(connect=0.6),
        kinds=JSON,
        at=named("127.0.0.2", "127.0.0.5", holes=("127.0.0.2",)),
        within=1.3,
    ),
]

TLS = [
    Row("a good certificate", good, OK, tls="good"),
    Row(
        "self-signed",
        good,
        Expect(ConnectError, says=r"localhost:\d+.*certificate"),
        tls="self-signed",
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
    Row("a TLS port that is asked in plain", good, BROKEN, tls="good", at=url("http://localhost:{port}")),
    Row("closed in the handshake", good, UNMADE, tls="good", before=first(lambda _: None)),
    Row("reset in the handshake", good, UNMADE, tls="good", before=first(Connection.reset)),
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
        "a handshake that drips",
        tls="good",
        before=hello_then(*[bytes([each]) for each in b"\x16\x03\x03\x40\x00\x02\x00\x3f\xfc" + b"\0" * 40], pause=0.05),
    ),
]

BEGINNING = [
    Row("closed before the request is read", good, BROKEN, before=first(lambda _: None)),
    Row("reset before the request is read", good, BROKEN, before=first(Connection.reset)),
    Row("closed before a byte", sends(), BROKEN),
    Row("reset before a byte", Connection.reset, BROKEN),
    Row("closed inside the status line", sends(b"HTTP/1.1 20"), BROKEN),
    Row("closed inside the head", sends(b"HTTP/1.1 200 OK\r\nContent-Ty"), BROKEN),
    Row("closed before the head's empty line", sends(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n"), BROKEN),
    Row("an SSH banner", sends(b"SSH-2.0-fake\r\n"), BROKEN),
    Row("an SMTP banner", sends(b"220 mail.example.test ESMTP\r\n"), BROKEN),
    Row("HTTP/2 frames", sends(b"\0\0\x12\x04\0\0\0\0\0\0\x03\0\0\0\x80\0\x04\0\x01\0\0"), BROKEN),
    Row("noise", sends(bytes(range(128, 256)) * 100 + b"\r\n\r\n"), BROKEN),
    Row("a body without a head", sends(BODY), BROKEN),
    Row("a status that is no number", head_of(TYPE, LENGTH, status="OK OK"), BROKEN),
    Row("a status of four digits", head_of(TYPE, LENGTH, status="2000 OK"), BROKEN),
    Row("a status without words", head_of(TYPE, LENGTH, status="200"), OK, kinds=JSON),
    Row("a status with an empty reason", head_of(TYPE, LENGTH, status="200 "), OK, kinds=JSON),
    Row("HTTP/1.0", sends(b"HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n", BODY), OK),
    Row("lines that end with LF alone", sends(head(TYPE, LENGTH).replace(b"\r", b""), BODY), BROKEN),
    Row("a line without a colon", head_of(TYPE, "nonsense", LENGTH), BROKEN),
    Row("a space before the colon", head_of(TYPE, f"{LENGTH}".replace(":", " :")), BROKEN),
    Row("an indented first line", head_of(f" {TYPE}", LENGTH), BROKEN),
    Row("names in odd case", head_of(TYPE.upper(), LENGTH.lower()), OK, kinds=JSON),
    Row("no space after the colon", head_of(TYPE.replace(" ", ""), LENGTH.replace(" ", "")), OK),
    Row("a header of 20,000 bytes", head_of(TYPE, LENGTH, f"X-Long: {'a' * 20_000}"), OK),
    Row("90 headers", head_of(TYPE, LENGTH, *[f"X-Many-{n}: a" for n in range(88)]), OK),
    Row("20,000 headers", head_of(*[f"X-Many-{n}: a" for n in range(20_000)]), BROKEN),
    Row("a header without end", lambda c: (c.send(b"HTTP/1.1 200 OK\r\nX: "), endless(b"a" * 65536)(c))[0], BROKEN),
    Row("headers without end", lambda c: (c.send(b"HTTP/1.1 200 OK\r\n"), endless(b"X: a\r\n" * 9999)(c))[0], BROKEN),
    Row("a status line without end", endless(b"HTTP/1.1 200 " + b"a" * 65536), BROKEN),
    late("nothing at all", silent()),
    late("a head that stalls", silent(b"HTTP/1.1 200 OK\r\nContent-"), kinds=STREAM),
    late(
        "a head that drips",
        lambda connection: connection.drip(head(TYPE, LENGTH), 0.05),
    ),
    late("headers that drip for ever", lambda c: (c.send(b"HTTP/1.1 200 OK\r\n"), endless(b"a: b\r\n", 0.02)(c))[0]),
    late("empty lines for ever", endless(b"\r\n", 0.02), expect=Expect((APITimeoutError, APIConnectionError))),
]
BEGINNING[-1] = Row(
    "empty lines for ever",
    endless(b"\r\n", 0.02),
    Expect((APITimeoutError, APIConnectionError)),
    kinds=JSON,
    timeout=limits(first_event=SHORT),
    within=IN_TIME,
)

INTERIM = [
    Row("100 first", after(head(status="100 Continue")), OK),
    Row("103 first", after(head("Link: </a>; rel=preload", status="103 Early Hints")), OK),
    Row("102 first", after(head(status="102 Processing")), OK),
    Row("103 first, the answer later", after(head("Link: </a>", status="103 Early Hints"), pause=0.05), OK),
    Row(
        "five interim answers",
        after(
            head(status="102 Processing"),
            head("Link: </a>", status="103 Early Hints"),
            head(status="100 Continue"),
            head("Link: </b>", status="103 Early Hints"),
            head("X-Other: 1", status="199 Other"),
        ),
        OK,
    ),
    Row(
        "headers of a 103 are not the answer's",
        after(head("Content-Length: 3", "Content-Encoding: gzip", status="103 Early Hints")),
        OK,
    ),
    Row("103 and the end", sends(head("Link: </a>", status="103 Early Hints")), BROKEN),
    Row(
        "a protocol nobody asked for",
        head_of("Upgrade: other", "Connection: Upgrade", status="101 Switching Protocols"),
        Expect((APIStatusError, APIConnectionError)),
    ),
    late("103 and silence", silent(head(status="103 Early Hints"))),
    late("102 for ever", endless(head(status="102 Processing"), 0.02)),
    late("100 at full speed for ever", endless(head(status="100 Continue") * 500), kinds=STREAM),
]

FRAMING = [
    Row("two different lengths", head_of(TYPE, LENGTH, "Content-Length: 5"), BROKEN),
    Row("two different lengths, the right one last", head_of(TYPE, "Content-Length: 5", LENGTH), BROKEN),
    Row("two different lengths in one line", head_of(TYPE, f"{LENGTH}, 5"), BROKEN),
    Row("a negative length", head_of(TYPE, "Content-Length: -1"), BROKEN),
    Row("a length with a sign", head_of(TYPE, f"Content-Length: +{len(BODY)}"), BROKEN),
    Row("a length in words", head_of(TYPE, "Content-Length: all of it"), BROKEN),
    Row("a length of 400 digits", head_of(TYPE, f"Content-Length: {'9' * 400}"), BROKEN),
    Row("an empty length", head_of(TYPE, "Content-Length:"), BROKEN),
    Row(
        "a length and chunks",
        head_of(TYPE, LENGTH, "Transfer-Encoding: chunked", body=chunked(BODY) + LAST_CHUNK),
        BROKEN,
    ),
    Row(
        "chunks and a length",
        head_of(TYPE, "Transfer-Encoding: chunked", "Content-Length: 5", body=chunked(BODY) + LAST_CHUNK),
        BROKEN,
    ),
    Row("a transfer encoding nobody knows", head_of(TYPE, "Transfer-Encoding: banana"), BROKEN),
    Row("chunked twice", head_of(TYPE, "Transfer-Encoding: chunked, chunked", body=chunked(chunked(BODY) + LAST_CHUNK) + LAST_CHUNK), BROKEN),
    Row("a length that is too great", head_of(TYPE, f"Content-Length: {len(BODY) + 1}"), BROKEN, kinds=JSON),
    Row(
        "a length that is too small",
        head_of(TYPE, f"Content-Length: {len(BODY) - 1}"),
        Expect(ResponseDecodeError),
    ),
    Row("a chunk whose size is no number", head_of(TYPE, "Transfer-Encoding: chunked", body=b"zz\r\nab\r\n"), BROKEN),
    Row("a chunk whose size is negative", head_of(TYPE, "Transfer-Encoding: chunked", body=b"-5\r\nabcde\r\n0\r\n\r\n"), BROKEN),
    Row("a chunk size without end", head_of(TYPE, "Transfer-Encoding: chunked", body=b"1" * 200_000), BROKEN),
    Row(
        "TLS cut without a farewell",
        head_of("Content-Type: application/json", "Connection: close", body=BODY[:-9]),
        Expect((ResponseDecodeError, APIConnectionError, StreamError)),
        tls="good",
    ),
]

PROXY = {"proxy": "{server}"}
FAR = url("http://far.example.test")
FAR_TLS = url("https://far.example.test")
PROXIES = [
    Row("a proxy", good, OK, at=FAR, client=PROXY),
    Row(
        "a proxy that refuses",
        good,
        UNMADE,
        at=FAR,
        client={"proxy": "http://127.0.0.1:9"},
    ),
    Row(
        "a proxy that wants a password",
        head_of("Proxy-Authenticate: Basic", "Content-Length: 0", status="407 Who Are You"),
        Expect(APIStatusError, attributes={"status_code": 407}),
        at=FAR,
        client=PROXY,
    ),
    Row(
        "a tunnel that wants a password",
        head_of("Proxy-Authenticate: Basic", "Content-Length: 0", status="407 Who Are You"),
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
    Row("a tunnel that is not HTTP", sends(b"SSH-2.0-fake\r\n"), Expect(ConnectError), at=FAR_TLS, client=PROXY),
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

ROWS = [*REACHING, *TLS, *BEGINNING, *INTERIM, *FRAMING, *PROXIES]
