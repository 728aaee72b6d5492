"""Heads, read as `http.client` reads them."""

from __future__ import annotations

import http.client
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orq_core.transports._head import parse_headers

NAMES = st.sampled_from(["A", "content-length", "X-B", "set-cookie", "b d", "", "é", "a:b"])
VALUES = st.text(st.sampled_from('ab :;,\t"=é\x00\x1f\x85'), max_size=8)
ENDS = st.sampled_from(["\r\n", "\n", "\r\n ", "\r\r\n", "\r"])
LINES = st.builds(
    "{}{}{}{}".format, NAMES, st.sampled_from([":", ": ", " :", "", ":\t "]), VALUES, ENDS
)


def read(parse: object, head: bytes) -> object:
    fp = io.BufferedReader(io.BytesIO(head))  # type: ignore[arg-type]  # a raw stream in all that counts
    try:
        message = parse(fp)  # type: ignore[operator]  # either of the two
    except http.client.HTTPException as error:
        return type(error), str(error)
    return (
        [(name, value.rstrip(" \t")) for name, value in message.items()],
        [type(each) for each in message.defects],
        message.get_payload(),
        fp.read(),
    )


@given(st.lists(LINES, max_size=6).map("".join), st.sampled_from(["\r\n", "\n", ""]))
def test_as_the_mail_parser_reads_it(lines: str, end: str) -> None:
    head = f"{lines}{end}the body".encode("latin-1")
    assert read(parse_headers, head) == read(http.client.parse_headers, head)


@pytest.mark.parametrize(
    "head",
    [
        b"A: b\r\n" * 100 + b"\r\n",
        b"A: b\r\n" * 101 + b"\r\n",
        b"A: " + b"b" * 65_531 + b"\r\n\r\n",
        b"A: " + b"b" * 65_532 + b"\r\n\r\n",
        b"A: b\r\n",
        b"",
        b"\r\n",
    ],
)
def test_as_much_and_no_more(head: bytes) -> None:
    assert read(parse_headers, head) == read(http.client.parse_headers, head)


@pytest.mark.parametrize("line", [b"A: b \r\n", b"A: b\t \r\nC: d\r\n e\r\n"])
def test_white_space_at_the_end_is_no_part_of_a_value(line: bytes) -> None:
    assert parse_headers(io.BytesIO(line + b"\r\n"))["A"] == "b"


@pytest.mark.parametrize("end", [b"", b"A: b\r\n folded\r\n\r\n", b"no field\r\n\r\n"])
def test_a_head_that_is_not_plain_takes_no_longer_with_each_line(end: bytes) -> None:
    # Tried in every way, it would outlast the whole suite.
    assert len(parse_headers(io.BytesIO(b"X: y\r\n" * 90 + end))) >= 90


def test_white_space_alone_takes_no_longer_with_each_of_it() -> None:
    assert parse_headers(io.BytesIO(b"X:" + b" " * 60_000 + b"\r\nno field\r\n\r\n"))["X"] == ""
