"""Ctrl-C wherever it may come: the client goes on, and nothing of the call is left."""

from __future__ import annotations

import contextlib
import itertools
import socket
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest

import orq_core
from tests.faults.nonces import STACKS, arguments, asking, nothing_left, serve, text_of
from tests.raw_server import RawServer


class Interrupts:
    """Raises KeyboardInterrupt before or after one of this thread's socket operations."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.at = -1
        self.after = False
        self.seen = 0
        self._thread = threading.get_ident()
        for name in ("recv", "recv_into", "sendall", "connect_ex", "settimeout", "getsockopt"):
            monkeypatch.setattr(socket.socket, name, self._wrapped(name), raising=False)

    def arm(self, at: int, *, after: bool) -> None:
        self.at, self.after, self.seen = at, after, 0

    def _wrapped(self, name: str) -> Any:
        original = getattr(socket.socket, name)

        def operation(sock: socket.socket, *given: Any) -> Any:
            if threading.get_ident() != self._thread or self.at < 0:
                return original(sock, *given)
            self.seen += 1
            due = self.seen == self.at + 1
            if due and not self.after:
                raise KeyboardInterrupt
            result = original(sock, *given)
            if due:
                raise KeyboardInterrupt
            return result

        return operation


def read_whole(client: Any, nonce: str, stream: bool, **plan: Any) -> str:
    answer = client.router.chat.completions.create(stream=stream, **asking(nonce, **plan))
    if not stream:
        return str(answer.text)
    with answer:
        return "".join(each.text for each in answer)


# Events that come one at a time are read in another way.
APART = {"events": 6, "apart": 0.002}


@pytest.mark.parametrize("stack", STACKS)
@pytest.mark.parametrize(("stream", "plan"), [(False, {}), (True, {}), (True, APART)])
@pytest.mark.parametrize("after", [False, True])
def test_ctrl_c_at_every_operation_of_a_socket(
    stream: bool, plan: dict[str, Any], stack: str, after: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    events = plan.get("events", 3)
    interrupts = Interrupts(monkeypatch)
    with RawServer(serve) as server, nothing_left(server):
        for at in itertools.count():
            with orq_core.Orq(**arguments(server, stack)) as client:
                interrupts.arm(at, after=after)
                try:
                    text = read_whole(client, f"stopped-{at}", stream, **plan)
                    assert text == text_of(f"stopped-{at}", events)
                    going_on = False
                except KeyboardInterrupt:
                    going_on = True
                interrupts.arm(-1, after=after)
                assert read_whole(client, f"next-{at}", stream=False) == text_of(f"next-{at}")
                if not going_on:
                    break
        assert at > 3


@pytest.mark.parametrize("plan", [{"events": 6}, APART])
@pytest.mark.parametrize("after", [False, True])
def test_who_reads_on_after_ctrl_c_is_told(
    after: bool, plan: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was received when it came may be lost, and then the rest is no whole answer."""
    interrupts = Interrupts(monkeypatch)
    with RawServer(serve) as server, nothing_left(server):
        for at in itertools.count():
            with orq_core.Orq(**arguments(server)) as client:
                stream = client.router.chat.completions.create(stream=True, **asking("on", **plan))
                texts = [next(stream).text for _ in range(3)]
                interrupts.arm(at, after=after)
                going_on = False
                try:
                    texts += [each.text for each in stream]
                except KeyboardInterrupt:
                    going_on = True
                interrupts.arm(-1, after=after)
                if not going_on:
                    break
                with pytest.raises(orq_core.StreamInterruptedError):
                    texts += [each.text for each in stream]
                assert text_of("on", 6).startswith("".join(texts))
                assert stream.partial.text.startswith("".join(texts))
        assert "".join(texts) == text_of("on", 6)
        assert at > 0 or plan is not APART


OURS = orq_core.__path__[0]


@contextlib.contextmanager
def interrupted_at(line: int, within: str) -> Iterator[list[int]]:
    """Raise KeyboardInterrupt before the n-th line that runs of files whose path begins so."""
    seen = [0]

    def trace(frame: Any, what: str, _: Any) -> Any:
        if not frame.f_code.co_filename.startswith(within):
            return None
        if what == "line":
            seen[0] += 1
            if seen[0] == line:
                raise KeyboardInterrupt
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        yield seen
    finally:
        sys.settrace(before)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("within", "step", "stream", "plan"),
    [
        pytest.param("", 11, False, {}, id="all, whole"),
        pytest.param("", 11, True, {}, id="all, streamed"),
        pytest.param("/transports/_underway", 1, True, {}, id="what is waited for"),
        pytest.param("/_feed", 1, True, {}, id="feed"),
        pytest.param("/_paced", 1, True, APART, id="paced"),
        pytest.param("/transports/_requests_response", 1, True, APART, id="response, paced"),
    ],
)
# Between two lines a socket may have no owner yet, so the collector closes it, and says so.
@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_ctrl_c_between_any_two_lines(
    within: str, step: int, stream: bool, plan: dict[str, Any]
) -> None:
    with RawServer(serve) as server, nothing_left(server):
        for at in itertools.count(1, step):
            with orq_core.Orq(**arguments(server)) as client:
                read_whole(client, "first", stream=True)
                with (
                    interrupted_at(at, OURS + within) as seen,
                    contextlib.suppress(KeyboardInterrupt),
                ):
                    read_whole(client, f"stopped-{at}", stream, **plan)
                assert read_whole(client, f"next-{at}", stream=False) == text_of(f"next-{at}")
                if seen[0] < at:
                    break
