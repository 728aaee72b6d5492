"""The head of an answer, and what is sent before it."""

from __future__ import annotations

from orq_core import APIConnectionError, APIStatusError, APITimeoutError
from tests.faults.scripts import (
    ANY,
    BODY,
    BROKEN,
    IN_TIME,
    LENGTH,
    OK,
    OK_OR_BROKEN,
    SHORT,
    TYPE,
    after,
    endless,
    first,
    good,
    head_of,
    late,
    limits,
    silent,
)
from tests.faults.table import JSON, STREAM, Expect, Row, sends
from tests.raw_server import Connection, head

BEGINNING = [
    Row("closed before the request is read", good, BROKEN, before=first(lambda _: None)),
    # The reset may come before the connection stands for the client, and nothing was sent then.
    Row("reset before the request is read", good, ANY, before=first(Connection.reset)),
    Row("closed before a byte", sends(), BROKEN),
    Row("reset before a byte", Connection.reset, BROKEN),
    Row("closed inside the status line", sends(b"HTTP/1.1 20"), BROKEN),
    Row("closed inside the head", sends(b"HTTP/1.1 200 OK\r\nContent-Ty"), BROKEN),
    Row(
        "closed before the head's empty line",
        sends(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n"),
        BROKEN,
    ),
    Row("an SSH banner", sends(b"SSH-2.0-fake\r\n"), BROKEN),
    Row("a banner of MySQL", sends(b"J\0\0\0\n8.0.36\0\x0b\0\0\0abcdefgh\0\xff\xf7\xff"), BROKEN),
    Row("an alert of TLS", sends(b"\x15\x03\x01\0\x02\x02\x46"), BROKEN),
    Row("an SMTP banner", sends(b"220 mail.example.test ESMTP\r\n"), BROKEN),
    Row("HTTP/2 frames", sends(b"\0\0\x12\x04\0\0\0\0\0\0\x03\0\0\0\x80\0\x04\0\x01\0\0"), BROKEN),
    Row("noise", sends(bytes(range(128, 256)) * 100 + b"\r\n\r\n"), BROKEN),
    Row("a body without a head", sends(BODY), BROKEN),
    Row("a status that is no number", head_of(TYPE, LENGTH, status="OK OK"), BROKEN),
    Row("a status of four digits", head_of(TYPE, LENGTH, status="2000 OK"), BROKEN),
    Row("a status without words", head_of(TYPE, LENGTH, status="200"), OK, kinds=JSON),
    Row("a status with an empty reason", head_of(TYPE, LENGTH, status="200 "), OK, kinds=JSON),
    Row("HTTP/1.0", sends(b"HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n", BODY), OK),
    Row("lines that end with LF alone", sends(head(TYPE, LENGTH).replace(b"\r", b""), BODY), OK),
    Row("a line without a colon", head_of(TYPE, "nonsense", LENGTH), BROKEN),
    Row("a space before the colon", head_of(TYPE, LENGTH.replace(":", " :")), OK_OR_BROKEN),
    Row("an indented first line", head_of(f" {TYPE}", LENGTH), OK_OR_BROKEN),
    Row("names in odd case", head_of(TYPE.upper(), LENGTH.lower()), OK, kinds=JSON),
    Row("no space after the colon", head_of(TYPE.replace(" ", ""), LENGTH.replace(" ", "")), OK),
    Row("a header of 20,000 bytes", head_of(TYPE, LENGTH, f"X-Long: {'a' * 20_000}"), OK),
    Row("90 headers", head_of(TYPE, LENGTH, *[f"X-Many-{n}: a" for n in range(88)]), OK),
    Row("20,000 headers", head_of(*[f"X-Many-{n}: a" for n in range(20_000)]), BROKEN),
    Row(
        "a header without end",
        lambda c: (c.send(b"HTTP/1.1 200 OK\r\nX: "), endless(b"a" * 65536)(c))[0],
        BROKEN,
    ),
    Row(
        "headers without end",
        lambda c: (c.send(b"HTTP/1.1 200 OK\r\n"), endless(b"X: a\r\n" * 9999)(c))[0],
        BROKEN,
    ),
    Row("a status line without end", endless(b"HTTP/1.1 200 " + b"a" * 65536), BROKEN),
    late("nothing at all", silent()),
    late("a head that stalls", silent(b"HTTP/1.1 200 OK\r\nContent-"), kinds=STREAM),
    late(
        "a head that drips",
        lambda connection: connection.drip(head(TYPE, LENGTH), 0.05),
    ),
    late(
        "headers that drip for ever",
        lambda c: (c.send(b"HTTP/1.1 200 OK\r\n"), endless(b"a: b\r\n", 0.02)(c))[0],
    ),
    Row(
        "empty lines for ever",
        endless(b"\r\n", 0.02),
        Expect((APITimeoutError, APIConnectionError)),
        kinds=JSON,
        timeout=limits(first_event=SHORT),
        within=IN_TIME,
    ),
]

INTERIM = [
    Row("100 first", after(head(status="100 Continue")), OK),
    Row("103 first", after(head("Link: </a>; rel=preload", status="103 Early Hints")), OK),
    Row("102 first", after(head(status="102 Processing")), OK),
    Row(
        "103 first, the answer later",
        after(head("Link: </a>", status="103 Early Hints"), pause=0.05),
        OK,
    ),
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
    Row(
        "103 with 20,000 headers",
        after(head(*[f"X-Many-{n}: a" for n in range(20_000)], status="103 Early Hints")),
        OK_OR_BROKEN,
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

ROWS = [*BEGINNING, *INTERIM]
