"""The scripted transport, read as the library reads one."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import threading
import weakref
from typing import Any

import pytest

from orq_core import (
    APIConnectionError,
    APITimeoutError,
    StreamInterruptedError,
    StreamTruncatedError,
    Timeout,
)
from orq_core.limits import Limits
from orq_core.testing import (
    MODES,
    Cut,
    Mode,
    Pause,
    Raise,
    Reset,
    ScriptedTransport,
    Stall,
    Wait,
    chunk,
    reply,
    stream,
)
from orq_core.transports import HttpRequest

NO_LIMIT = Timeout(None, None, None, None)


def request(timeout: Timeout = NO_LIMIT, **body: Any) -> HttpRequest:
    url = "http://x.test/v2/router/chat/completions"
    return HttpRequest("POST", url, {}, json.dumps(body).encode(), Limits.start(timeout))


def outcome(mode: Mode, transport: ScriptedTransport, http: HttpRequest) -> list[Any]:
    """What came: the head, pieces, and how it ended."""
    seen: list[Any] = []

    async def body() -> None:
        try:
            response = await transport.send(http)
            seen.append(response.status)
            while data := await response.receive():
                seen.append(data)
            seen.append("end")
        except Exception as error:
            seen.append(type(error))

    mode.run(body)
    return seen


def test_with_no_script_it_echoes(mode: Mode) -> None:
    transport = ScriptedTransport(is_async=mode.is_async)
    http = request(messages=[{"role": "user", "content": "say this"}])
    status, data, end = outcome(mode, transport, http)
    assert (status, end) == (200, "end")
    assert json.loads(data)["choices"][0]["message"]["content"] == "say this"


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        (Cut(), APIConnectionError),
        (Reset(), APIConnectionError),
        (Raise(ZeroDivisionError()), ZeroDivisionError),
        (Stall(), RuntimeError),
    ],
    ids=["cut", "reset", "raise", "stall"],
)
def test_it_breaks_where_the_script_says(mode: Mode, step: Any, expected: type) -> None:
    before, after = stream(step, b"a"), stream(b"a", Pause(3600), b"b", step)
    transport = ScriptedTransport(before, after, is_async=mode.is_async)
    assert outcome(mode, transport, request()) == [expected]
    assert transport.responses == []
    assert outcome(mode, transport, request()) == [200, b"a", b"b", expected]


def test_a_stall_reaches_the_nearest_limit_at_once(mode: Mode) -> None:
    transport = ScriptedTransport(stream(b"a", Stall()), is_async=mode.is_async)

    async def body() -> None:
        http = request(Timeout(idle=600.0, total=3600.0))
        response = await transport.send(http)
        assert await response.receive() == b"a"
        http.limits.enter("idle")
        with pytest.raises(APITimeoutError) as caught:
            await response.receive()
        assert (caught.value.kind, caught.value.seconds) == ("idle", 600.0)

    mode.run(body)


def test_it_waits_for_the_test(mode: Mode) -> None:
    gate = threading.Event()
    transport = ScriptedTransport(stream(b"a", Wait(gate), b"b"), is_async=mode.is_async)
    timer = threading.Timer(0.02, gate.set)
    timer.start()
    assert outcome(mode, transport, request()) == [200, b"a", b"b", "end"]
    timer.join()


def test_it_does_not_wait_for_ever(mode: Mode, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orq_core.testing.scripted.PATIENCE", 0.01)
    script = stream(b"a", Wait(threading.Event()), b"b")
    transport = ScriptedTransport(script, is_async=mode.is_async)
    assert outcome(mode, transport, request()) == [200, b"a", APIConnectionError]


def test_a_waiting_read_can_be_cancelled() -> None:
    transport = ScriptedTransport(stream(Wait(threading.Event())), is_async=True)

    async def main() -> None:
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(transport.send(request()), 0.01)

    asyncio.run(main())


def test_the_last_answer_is_repeated(mode: Mode) -> None:
    transport = ScriptedTransport(reply(b"1"), reply(b"2"), is_async=mode.is_async)
    answers = [outcome(mode, transport, request())[1] for _ in range(3)]
    assert answers == [b"1", b"2", b"2"]


def test_headers_are_found_in_any_case(mode: Mode) -> None:
    transport = ScriptedTransport(reply({}, headers={"X-Tag": "1"}), is_async=mode.is_async)

    async def body() -> None:
        headers = (await transport.send(request())).headers
        assert headers["x-tag"] == headers["X-TAG"] == "1"

    mode.run(body)


@pytest.mark.parametrize("mode", MODES, ids=lambda each: each.name)
def test_a_client_on_a_script_that_breaks(mode: Mode) -> None:
    transport = ScriptedTransport(stream(chunk("a"), Reset()), is_async=mode.is_async)
    arguments = {"server_url": "http://127.0.0.1:9", "transport": transport, "discover": False}

    async def body() -> list[str]:
        texts: list[str] = []
        async with mode.client(**arguments) as client:
            answer = await mode.create(client, model="fake", messages=[], stream=True)
            with pytest.raises(StreamInterruptedError):
                async for each in mode.iterate(answer):
                    texts.append(each.text)
            await mode.close(answer)
        return texts

    assert mode.run(body) == ["a"]
    assert (len(transport.responses), transport.open_responses) == (1, 0)
    assert transport.closed


def test_the_error_of_an_unfinished_stream_keeps_no_client(mode: Mode) -> None:
    transport = ScriptedTransport(stream(chunk("a")), is_async=mode.is_async)
    arguments = {"server_url": "http://127.0.0.1:9", "transport": transport, "discover": False}

    async def body() -> Any:
        async with mode.client(**arguments) as client:
            answer = await mode.create(client, model="fake", messages=[], stream=True)
            with contextlib.suppress(StreamTruncatedError):
                await mode.completion(answer)
            return weakref.ref(client)

    gc.disable()
    try:
        assert mode.run(body)() is None
    finally:
        gc.enable()
