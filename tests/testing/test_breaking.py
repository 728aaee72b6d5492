"""How answers of the local router end, seen on a plain socket."""

from __future__ import annotations

import contextlib
import json
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from orq_core.testing import (
    Cut,
    LocalRouter,
    Pause,
    Raise,
    Reset,
    Send,
    Stall,
    Wait,
    recorded,
    reply,
    stream,
)

END = b"0\r\n\r\n"


@pytest.fixture
def quiet(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """A scripted break is no incident: nothing is logged."""
    with caplog.at_level(logging.WARNING):
        yield
    assert not caplog.records


def connected(router: LocalRouter) -> socket.socket:
    body = json.dumps({"model": "fake", "messages": []}).encode()
    head = "POST /v1/chat/completions HTTP/1.1\r\nHost: fake\r\nContent-Length: "
    connection = socket.create_connection(("127.0.0.1", router.port), timeout=10)
    connection.sendall(f"{head}{len(body)}\r\n\r\n".encode() + body)
    return connection


def read_until(connection: socket.socket, wanted: bytes) -> bytes:
    """Read until these bytes have come, or the end."""
    got = b""
    while wanted not in got and (data := connection.recv(65536)):
        got += data
    return got


def eventually(check: Callable[[], bool]) -> None:
    latest = time.monotonic() + 5
    while not check():
        assert time.monotonic() < latest
        time.sleep(0.002)


def test_a_cut_is_an_end_without_the_last_chunk(orq_router: LocalRouter, quiet: None) -> None:
    orq_router.always(stream(b"piece", Cut()))
    with connected(orq_router) as connection:
        got = read_until(connection, END)
    assert got.startswith(b"HTTP/1.1 200")
    assert got.endswith(b"5\r\npiece\r\n")


@pytest.mark.parametrize("step", [Reset(), Raise(ValueError("fake"))], ids=["reset", "raise"])
def test_a_reset_is_a_reset(orq_router: LocalRouter, step: Any, quiet: None) -> None:
    gate = threading.Event()
    orq_router.always(stream(b"piece", Wait(gate), step))
    with connected(orq_router) as connection:
        assert b"piece" in read_until(connection, b"piece")
        gate.set()
        with pytest.raises(ConnectionResetError):
            read_until(connection, END)
    assert orq_router.disconnected == 0


def test_a_break_before_the_first_piece_comes_before_the_head(
    orq_router: LocalRouter, quiet: None
) -> None:
    orq_router.enqueue(stream(Cut()), stream(Reset()))
    with connected(orq_router) as connection:
        assert read_until(connection, END) == b""
    with connected(orq_router) as connection, pytest.raises(ConnectionResetError):
        read_until(connection, END)


def test_an_empty_piece_sends_the_head(orq_router: LocalRouter, quiet: None) -> None:
    orq_router.always(stream(b"", Stall()))
    with connected(orq_router) as connection:
        assert read_until(connection, b"\r\n\r\n").endswith(b"\r\n\r\n")


def test_an_answer_of_no_steps_is_empty(orq_router: LocalRouter, quiet: None) -> None:
    orq_router.enqueue(stream(), reply(status=503))
    with connected(orq_router) as connection:
        assert read_until(connection, END).endswith(b"\r\n\r\n" + END)
    with connected(orq_router) as connection:
        assert b"Content-Length: 0" in read_until(connection, b"\r\n\r\n")


def test_pieces_are_chunks_of_their_own(orq_router: LocalRouter) -> None:
    orq_router.always(stream(b"abcde").chunked_at([2]))
    with connected(orq_router) as connection:
        assert read_until(connection, END).endswith(b"2\r\nab\r\n3\r\ncde\r\n" + END)


def test_a_client_that_leaves_a_stall_is_noticed(orq_router: LocalRouter, quiet: None) -> None:
    orq_router.always(stream(b"piece", Stall()))
    with connected(orq_router) as connection:
        read_until(connection, b"piece")
        assert orq_router.open_connections == 1
        assert orq_router.disconnected == 0
    eventually(lambda: orq_router.disconnected == 1)
    eventually(lambda: orq_router.open_connections == 0)


@pytest.mark.parametrize(
    "step", [Stall(), Wait(threading.Event()), Pause(600.0)], ids=["stall", "wait", "pause"]
)
def test_closing_ends_every_answer_and_leaves_no_thread(step: Any, quiet: None) -> None:
    threads = threading.active_count()
    with LocalRouter() as router:
        router.always(stream(b"piece", step))
        connection = connected(router)
        read_until(connection, b"piece")
        began = time.monotonic()
    assert time.monotonic() - began < 3
    assert threading.active_count() == threads
    assert router.disconnected == 0
    with connection, contextlib.suppress(ConnectionResetError):
        assert END not in read_until(connection, END)


def test_nobody_waits_for_ever(
    orq_router: LocalRouter, monkeypatch: pytest.MonkeyPatch, quiet: None
) -> None:
    monkeypatch.setattr("orq_core.testing.router.PATIENCE", 0.01)
    orq_router.always(stream(Wait(threading.Event()), b"never"))
    with connected(orq_router) as connection, pytest.raises(ConnectionResetError):
        read_until(connection, END)


def test_pauses_can_be_made_by_another_clock() -> None:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    with LocalRouter(sleep=sleep) as router:
        router.always(stream(Pause(3600.0), b"a", Pause(0.5)))
        with connected(router) as connection:
            assert END in read_until(connection, END)
    assert slept == [3600.0, 0.5]


def test_a_recorded_stream_is_sent_in_chunks(orq_router: LocalRouter) -> None:
    headers = {"content-type": "text/event-stream; charset=utf-8", "Transfer-Encoding": "x"}
    response = {"status": 200, "headers": headers, "body": "data: 1\r\n\r\ndata: 2\n\ndata: 3"}
    orq_router.always(recorded({"response": response}).by_event())
    with connected(orq_router) as connection:
        head, _, body = read_until(connection, END).partition(b"\r\n\r\n")
    assert head.lower().count(b"content-type") == head.lower().count(b"transfer-encoding") == 1
    assert body == (
        b"b\r\ndata: 1\r\n\r\n\r\n" + b"9\r\ndata: 2\n\n\r\n" + b"7\r\ndata: 3\r\n" + END
    )


def test_requests_are_found_by_any_case(orq_router: LocalRouter) -> None:
    with connected(orq_router) as connection:
        read_until(connection, b"\r\n\r\n")
    (received,) = orq_router.requests
    assert received.headers["HOST"] == received.headers["host"] == "fake"
    assert b"fake" in received.body
    assert "fake" not in repr(received)


@pytest.mark.parametrize("count", [None, 0, "two", 1])
def test_an_odd_count_is_one_choice(orq_router: LocalRouter, count: Any) -> None:
    body = json.dumps({"messages": [{"role": "user", "content": []}], "n": count}).encode()
    with socket.create_connection(("127.0.0.1", orq_router.port), timeout=10) as connection:
        head = f"POST /v1/chat/completions HTTP/1.0\r\nContent-Length: {len(body)}\r\n\r\n"
        connection.sendall(head.encode() + body)
        answer = read_until(connection, b"never")
    assert answer.count(b'"finish_reason"') == 1


def test_a_router_that_never_started_can_be_stopped() -> None:
    router = LocalRouter()
    router.stop()
    assert router.open_connections == 0


def test_an_impossible_port_is_told_at_once() -> None:
    began = time.monotonic()
    with pytest.raises(OverflowError):
        LocalRouter(70000).start()
    assert time.monotonic() - began < 3


def test_a_router_that_does_not_start_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    router = LocalRouter()
    with monkeypatch.context() as patch:
        patch.setattr("orq_core.testing.router._START", 0)
        patch.setattr(router._thread, "start", lambda: None)
        with pytest.raises(RuntimeError, match="did not start"):
            router.start()


def test_an_answer_can_depend_on_what_was_asked(orq_router: LocalRouter) -> None:
    orq_router.always(lambda received: reply({"asked": received.json["model"]}))
    with connected(orq_router) as connection:
        assert b'{"asked": "fake"}' in read_until(connection, b"}")


def test_send_hides_its_bytes() -> None:
    assert "prompt" not in repr(Send(b"prompt"))
