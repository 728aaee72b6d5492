"""Events that come one at a time: whatever comes, the same as by the usual way."""

from __future__ import annotations

import io
import json
import threading
import time
from collections.abc import Iterator, Sequence
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orq_core import APITimeoutError, Orq, OrqError, StreamInterruptedError, Timeout
from orq_core import _feed as feed_module
from orq_core._answers import AnswerReader
from orq_core._runtime import Blocking
from orq_core.models import to_dict
from orq_core.testing import DONE, chunk, error_event, event
from orq_core.transports import HttpRequest
from orq_core.transports._reader import LimitedReader
from orq_core.transports._requests_response import RequestsResponse
from tests.raw_server import LAST_CHUNK, Connection, RawServer, chunked, head
from tests.shared import exchanges, needs_shared

KEY = "fake-key-1234567890"
ASKED: dict[str, Any] = {
    "model": "fake/model",
    "messages": [{"role": "user", "content": "Hello"}],
    "stream": True,
}
WORDS = [event(chunk(f" word-{number}")) for number in range(6)]
END = [event(chunk(finish_reason="stop")), DONE]


Arrivals = Sequence[bytes | Exception | float]


class Clock:
    """Tells a time that passes only where somebody waits."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


class Socket:
    """Hands out what arrives, a piece for each receive; a number is so many seconds of silence."""

    def __init__(self, arrivals: Arrivals, clock: Clock) -> None:
        self._arrivals = iter(arrivals)
        self._clock = clock
        self._silent = 0.0
        self._timeout: float | None = None

    def recv(self, size: int) -> bytes:
        if self._timeout == 0.0:
            raise BlockingIOError
        piece = self._silent or next(self._arrivals, b"")
        while isinstance(piece, float):
            waited = piece if self._timeout is None else min(piece, self._timeout)
            self._clock.now += waited
            self._silent = piece - waited
            if self._silent:
                raise TimeoutError
            piece = next(self._arrivals, b"")
        if isinstance(piece, Exception):
            raise piece
        if not piece:
            self._arrivals = iter(())
        assert len(piece) <= size
        return piece

    def gettimeout(self) -> float | None:
        return self._timeout

    def settimeout(self, seconds: float | None) -> None:
        self._timeout = seconds


class Original:
    """What `http.client` has read the head of."""

    chunked = True
    length = None

    def __init__(self, reader: LimitedReader) -> None:
        self.reader = reader
        self.fp = io.BufferedReader(reader)

    def isclosed(self) -> bool:
        return self.fp.closed

    def close(self) -> None:
        self.fp.close()


class Transport:
    """Answers with one chunked body, which arrives in these pieces."""

    is_async = False

    def __init__(self, arrivals: Arrivals, clock: Clock) -> None:
        self._socket: Any = Socket(arrivals, clock)

    async def send(self, http: HttpRequest) -> RequestsResponse:
        http.limits.enter("first_event")
        raw: Any = SimpleNamespace(
            status=200,
            headers={"content-type": "text/event-stream"},
            _original_response=Original(LimitedReader(self._socket, http.limits, io.BytesIO())),
            closed=False,
            close=lambda: None,
            release_conn=lambda: None,
        )
        return RequestsResponse(raw, http, 2**20)

    async def close(self) -> None:
        pass


def outcome(arrivals: Arrivals, timeout: Timeout | None = None) -> list[Any]:
    """Read a stream to its end; tell all that a caller can see of it, and the time it took."""
    seen: list[Any] = []
    clock = Clock()
    transport = Transport(arrivals, clock)
    with Orq(api_key=KEY, discover=False, transport=transport, timeout=timeout) as orq:
        orq._core.runtime = Blocking(clock)
        orq._core.wire.max_event_bytes = 20000
        info = None
        try:
            with orq.router.chat.completions.create(**ASKED) as stream:
                info = stream.info
                for each in stream:
                    seen.append(to_dict(each))
                    seen.append(len(seen) // 2 == stream._feed.delivered)
                seen.append(to_dict(stream.completion()))
        except OrqError as error:
            partial = getattr(error, "partial", None)
            seen += [type(error), str(error), getattr(error, "delivered", None)]
            seen.append(None if partial is None else to_dict(partial))
        if info is not None:
            seen += [info.bytes_received, len(info.attempts), info.attempts[0].error, info.waited]
    return [*seen, clock.now]


def usual(arrivals: Arrivals, timeout: Timeout | None = None) -> list[Any]:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(feed_module, "paced", lambda *_: iter(()))
        return outcome(arrivals, timeout)


def straight(pieces: Sequence[bytes]) -> int:
    """Return how many events were read without the usual reader."""
    reads: list[int] = []
    original = AnswerReader.read

    def counted(self: AnswerReader, data: bytes) -> Any:
        reads.append(len(data))
        return original(self, data)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(AnswerReader, "read", counted)
        outcome(pieces)
    return sum(1 for each in pieces if each != LAST_CHUNK) - len(reads)


# What is read in one step


def test_what_repeats_the_event_before_it_is_read_in_one_step() -> None:
    pieces = [*map(chunked, [*WORDS * 4, *END]), LAST_CHUNK]
    assert outcome(pieces) == usual(pieces)
    # The second one is learned, the third is like it, and once another one is, it begins.
    assert straight(pieces) == len(WORDS) * 4 - 4


def test_it_goes_on_after_an_interruption() -> None:
    pieces = [*map(chunked, [*WORDS, b": ping\n\n", *WORDS, b": ping\n\n", *WORDS])]
    assert outcome(pieces) == usual(pieces)
    assert straight(pieces) == 2 + 2 * (len(WORDS) - 1)


def test_events_that_take_turns_are_left_to_the_usual_way() -> None:
    others = [event(chunk(f"other-{number}", index=1)) for number in range(6)]
    pieces = [chunked(each) for pair in zip(WORDS, others, strict=True) for each in pair]
    assert outcome(pieces) == usual(pieces)
    assert straight(pieces) == 0


def test_what_is_repeated_may_change_again_and_again() -> None:
    """A template that served is no reason to learn no more of them."""
    streams = [[each.replace(b"chatcmpl-fake", b"id-%d" % n) for each in WORDS] for n in range(20)]
    pieces = [chunked(each) for words in streams for each in words]
    assert outcome(pieces) == usual(pieces)
    # Of each the first is learned, the second is like it, and the third begins it.
    assert straight(pieces) == len(streams) * (len(WORDS) - 3) - 1


ODD: dict[str, list[bytes | Exception | float]] = {
    "two events in a chunk": [chunked(WORDS[0] + WORDS[1])],
    "two chunks at once": [chunked(WORDS[0]) + chunked(WORDS[1])],
    "three chunks and a half": [b"".join(map(chunked, WORDS[:3])) + b"5", b"\r\ndata:\r\n"],
    "cut in the size": [chunked(WORDS[0])[:1], chunked(WORDS[0])[1:]],
    "cut in the text": [chunked(WORDS[0])[:-9], chunked(WORDS[0])[-9:]],
    "cut before the line end": [chunked(WORDS[0])[:-2], b"\r\n"],
    "an event in two chunks": [chunked(WORDS[0][:40]), chunked(WORDS[0][40:])],
    "a size in capitals": [chunked(WORDS[0]).replace(b"%x" % len(WORDS[0]), b"%X" % len(WORDS[0]))],
    "a size with zeros": [b"000" + chunked(WORDS[0])],
    "a size with a sign": [b"+" + chunked(WORDS[0])],
    "a size with an extension": [chunked(WORDS[0]).replace(b"\r\n", b";a=b\r\n", 1)],
    "a size that is too small": [b"9\r\n" + WORDS[0] + b"\r\n"],
    "no line end": [b"%x\r\n%sxx" % (len(WORDS[0]), WORDS[0])],
    "no chunk": [b"<html>"],
    "lines that end otherwise": [chunked(WORDS[0].replace(b"\n", b"\r\n"))],
    "a lone return": [chunked(b"data: {}\r"), chunked(b"\n" + WORDS[0])],
    "a name for the next": [chunked(b"event: error\n"), chunked(WORDS[0])],
    "an id for the next": [chunked(b"id: 7\n"), chunked(WORDS[0])],
    "an id": [chunked(b"id: 7\n" + WORDS[0]), chunked(WORDS[1])],
    "a comment": [chunked(b": ping\n\n")],
    "an error": [chunked(error_event("too busy"))],
    "no JSON": [chunked(b"data: {\n\n")],
    "a text that is none": [chunked(WORDS[0].replace(b" word-0", b"\\x"))],
    "a text with a line break": [chunked(WORDS[0].replace(b" word-0", b"a\nb"))],
    "a text that is no UTF-8": [chunked(WORDS[0].replace(b" word-0", b"\xff\xfe"))],
    "a text with a quote": [chunked(WORDS[0].replace(b" word-0", b'a","b":"c'))],
    "no text": [chunked(event(chunk(None, finish_reason="length")))],
    "a long text": [chunked(event(chunk("x" * 5000)))],
    "an event that is too large": [chunked(event(chunk("x" * 30000)))],
    "the end": [chunked(END[0]), chunked(DONE), LAST_CHUNK],
    "the end at once": [chunked(END[0]) + chunked(DONE) + LAST_CHUNK],
    "the last chunk": [LAST_CHUNK],
    "a connection that is reset": [ConnectionResetError(104, "Connection reset by peer")],
    "a socket that is no more": [ValueError("closed")],
    "a connection that ends": [b""],
}


@pytest.mark.parametrize("after", [3, 5])
@pytest.mark.parametrize("name", ODD)
def test_what_is_odd_is_read_the_usual_way(name: str, after: int) -> None:
    repeated = [chunked(WORDS[number % 6]) for number in range(after)]
    pieces = [*repeated, *ODD[name], *repeated, *map(chunked, END), LAST_CHUNK]
    assert outcome(pieces) == usual(pieces)


PIECES = st.sampled_from(
    [
        *WORDS * 3,
        *[event(chunk("other", index=1))] * 3,
        event(chunk("{", tool_calls=[{"index": 0, "function": {"arguments": "{"}}])),
        b": ping\n\n",
        b"event: ping\ndata: {}\n\n",
        b"id: 1\n",
        b"data: {\n\n",
        b"\r",
        *END,
    ],
)


@settings(max_examples=300, deadline=None)
@given(
    st.lists(PIECES, max_size=30),
    st.lists(st.integers(0, 3000), max_size=6),
    st.integers(1, 3),
)
def test_any_stream_in_any_pieces(events: list[bytes], cuts: list[int], together: int) -> None:
    chunks = [chunked(each) for each in [*WORDS[:4], *events]]
    written = [b"".join(chunks[at : at + together]) for at in range(0, len(chunks), together)]
    pieces: list[bytes] = []
    at = 0
    for each in [*written, LAST_CHUNK]:
        inner = sorted(cut - at for cut in cuts if at < cut < at + len(each))
        pieces += [each[a:b] for a, b in zip([0, *inner], [*inner, len(each)], strict=True)]
        at += len(each)
    pieces = [each for each in pieces if each]
    assert outcome(pieces) == usual(pieces)


@needs_shared
def test_recorded_streams_one_event_at_a_time() -> None:
    streams = [each for each in exchanges() if "data:" in each.body]
    assert len(streams) > 100
    alone = 0
    for each in streams:
        blocks = each.body.replace("\r\n", "\n").split("\n\n")
        pieces = [*[chunked(f"{block}\n\n".encode()) for block in blocks if block], LAST_CHUNK]
        assert outcome(pieces) == usual(pieces), each.name
        alone += straight(pieces)
    assert alone > 1000


# Waiting


def words(connection: Connection) -> None:
    """Send words one by one, and then nothing."""
    connection.send(head("Content-Type: text/event-stream", "Transfer-Encoding: chunked"))
    for each in WORDS:
        connection.send(chunked(each))
        time.sleep(0.02)
    connection.wait_for_client()


def asking(server: RawServer) -> Orq:
    return Orq(api_key=KEY, discover=False, server_url=server.url)


def read(stream: Any, count: int) -> Iterator[Any]:
    return (next(stream) for _ in range(count))


HALF = chunked(WORDS[0])[:40]


@pytest.mark.parametrize(
    ("later", "limits", "kind", "at"),
    [
        ([100.0], {"idle": 10}, "idle", 16),
        ([3.0, chunked(b": ping\n\n")] * 9, {"idle": 10}, "idle", 16),
        ([3.0, HALF[:1], 3.0, HALF[1:], 100.0], {"idle": 10}, "idle", 16),
        ([100.0], {"total": 20}, "total", 20),
        ([100.0], {"idle": None, "total": 20}, "total", 20),
        ([3.0, chunked(WORDS[0])] * 9, {"idle": 10, "total": 20}, "total", 20),
    ],
    ids=["silence", "comments", "half an event", "total", "total alone", "total between"],
)
def test_a_limit_is_kept(later: Any, limits: dict[str, Any], kind: str, at: float) -> None:
    arrivals = [each for word in WORDS for each in (1.0, chunked(word))] + later
    seen = outcome(arrivals, Timeout(**limits))
    assert seen == usual(arrivals, Timeout(**limits))
    assert APITimeoutError in seen
    assert f"(timeout.{kind})" in str(seen)
    assert seen[-1] == pytest.approx(at, abs=0.05)


def test_no_limit_at_all() -> None:
    never = Timeout(connect=None, first_event=None, idle=None, total=None)
    arrivals = [each for word in WORDS for each in (1e6, chunked(word))] + [chunked(DONE)]
    assert outcome(arrivals, never) == usual(arrivals, never)


@pytest.mark.parametrize("what", ["stream", "client"])
def test_closing_wakes_who_waits(what: str) -> None:
    with RawServer(words) as server, asking(server) as orq:
        stream = orq.router.chat.completions.create(**ASKED)
        assert len([*read(stream, len(WORDS))]) == len(WORDS)
        timer = threading.Timer(0.2, stream.close if what == "stream" else orq.close)
        timer.start()
        began = time.monotonic()
        with pytest.raises(StreamInterruptedError) as caught:
            next(stream)
        assert time.monotonic() - began < 5
        timer.join()
        assert server.left.wait(5)
        assert caught.value.delivered == len(WORDS)
        assert stream.info.elapsed is not None


def test_closing_between_two_events_from_another_thread() -> None:
    with RawServer(words) as server, asking(server) as orq:
        stream = orq.router.chat.completions.create(**ASKED)
        assert len([*read(stream, 5)]) == 5
        closer = threading.Thread(target=stream.close)
        closer.start()
        closer.join()
        assert server.left.wait(5)
        with pytest.raises(StreamInterruptedError, match="closed by another") as caught:
            next(stream)
        assert caught.value.delivered == 5


def test_two_threads_can_t_read_at_once() -> None:
    with (
        RawServer(words) as server,
        asking(server) as orq,
        orq.router.chat.completions.create(**ASKED) as stream,
    ):
        assert len([*read(stream, len(WORDS))]) == len(WORDS)
        failed: list[BaseException] = []

        def wait() -> None:
            try:
                next(stream)
            except OrqError as error:
                failed.append(error)

        reader = threading.Thread(target=wait)
        reader.start()
        latest = time.monotonic() + 5
        while not stream._feed.running and time.monotonic() < latest:
            time.sleep(0.01)
        with pytest.raises(RuntimeError, match="being read by another thread"):
            next(stream)
        stream.close()
        reader.join(5)
        assert [type(each) for each in failed] == [StreamInterruptedError]


def test_a_stream_that_is_dropped_leaves_nothing() -> None:
    with RawServer(words) as server, asking(server) as orq:
        stream = orq.router.chat.completions.create(**ASKED)
        assert json.dumps([to_dict(each) for each in read(stream, len(WORDS))])
        with pytest.warns(ResourceWarning, match="a stream was dropped"):
            del stream
        assert server.left.wait(5)
