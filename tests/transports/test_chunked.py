"""The chunked coding, undone for bytes in any division."""

from __future__ import annotations

import http.client
import io
import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orq_core.transports._chunked import BadFramingError, Chunks

LAST = b"0\r\n\r\n"


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


def fed(data: bytes, cuts: list[int]) -> tuple[bytes, Chunks]:
    chunks, content = Chunks(), b""
    points = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    for start, end in itertools.pairwise(points):
        content += chunks.feed(data[start:end])
    return content, chunks


CONTENTS = st.lists(st.binary(min_size=1, max_size=40), max_size=6)
CUTS = st.lists(st.integers(0, 400), max_size=8)


@given(CONTENTS, CUTS, st.binary(max_size=5))
def test_content_comes_back_however_it_is_divided(
    contents: list[bytes], cuts: list[int], rest: bytes
) -> None:
    data = b"".join(map(chunk, contents)) + LAST + rest
    content, chunks = fed(data, cuts)
    assert content == b"".join(contents)
    assert chunks.ended
    assert chunks.rest == rest


class Socket:
    def __init__(self, data: bytes) -> None:
        self.data = data

    def makefile(self, *_: Any) -> io.BytesIO:
        return io.BytesIO(self.data)


@given(CONTENTS, st.integers(0, 60), st.binary(max_size=3), CUTS)
def test_it_takes_nothing_for_whole_that_http_client_does_not(
    contents: list[bytes], at: int, noise: bytes, cuts: list[int]
) -> None:
    sound = b"".join(map(chunk, contents)) + LAST
    data = sound[:at] + noise + sound[at + 1 :]
    try:
        content, chunks = fed(data, cuts)
    except BadFramingError:
        return
    if chunks.ended:
        response = http.client.HTTPResponse(
            Socket(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + data)  # type: ignore[arg-type]
        )
        response.begin()
        assert response.read() == content


@pytest.mark.parametrize(
    "data",
    [
        b"zz\r\n",
        b"-5\r\nabcde\r\n",
        b"+5\r\nabcde\r\n",
        b"0x5\r\nabcde\r\n",
        b"5_0\r\n",
        b"\r\n",
        b"\xb2\r\n",
        b"f" * 17 + b"\r\n",
        b"5\r\nabcdefg\r\n",
        b"1\r\n\r\n0\r\n\r\n",
        b"1\r\na\n",
        b"1" * 9000,
        b"1;" + b"x" * 9000 + b"\r\n",
        b"0\r\n" + b"a: b\r\n" * 200,
    ],
)
def test_what_is_no_chunk_is_refused(data: bytes) -> None:
    for cuts in ([], list(range(len(data)))[:400]):
        with pytest.raises(BadFramingError):
            fed(data, cuts)


def test_extensions_and_trailers_are_passed_over() -> None:
    data = b"5 ;name=value\r\nhello\r\n0;x\r\nX-A: b\r\nX-B: c\r\n\r\n"
    content, chunks = fed(data, list(range(len(data))))
    assert (content, chunks.ended, chunks.rest) == (b"hello", True, b"")
