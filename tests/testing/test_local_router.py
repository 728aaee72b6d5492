"""The local router and the scripted transport, seen with plain HTTP libraries."""

from __future__ import annotations

import contextlib
import gc
import json
import socket
import threading
import time
from typing import Any

import pytest
import requests

from orq_core.limits import Limits, Timeout
from orq_core.testing import (
    DONE,
    Cut,
    LocalRouter,
    Mode,
    Pause,
    Reply,
    Reset,
    ScriptedTransport,
    Send,
    Stall,
    Wait,
    chunk,
    completion,
    recorded,
    reply,
    stream,
)
from orq_core.testing.server import serve
from orq_core.transports import HttpRequest

PATHS = ["/v2/router", "/v3/router", "/v2/proxy", "/v2/gateway", "/v1", "/orq/v2/router"]


def ask(router: LocalRouter, path: str = "/v2/router", **body: Any) -> requests.Response:
    messages = [{"role": "user", "content": "hello  local world"}]
    url = f"{router.url}{path}/chat/completions"
    return requests.post(url, json={"model": "fake", "messages": messages, **body}, timeout=10)


@pytest.mark.parametrize("path", PATHS)
def test_it_answers_on_every_path_of_the_router(orq_router: LocalRouter, path: str) -> None:
    answer = ask(orq_router, path, n=2)
    choices = answer.json()["choices"]
    assert [choice["message"]["content"] for choice in choices] == ["hello  local world"] * 2
    assert orq_router.requests[0].path == f"{path}/chat/completions"
    assert orq_router.requests[0].json["n"] == 2


def test_it_streams(orq_router: LocalRouter) -> None:
    answer = ask(orq_router, stream=True, stream_options={"include_usage": True})
    events = [line[6:] for line in answer.text.split("\n") if line.startswith("data: ")]
    assert events[-1] == "[DONE]"
    chunks = [json.loads(each) for each in events[:-1]]
    texts = [each["choices"][0]["delta"].get("content") for each in chunks[:-1]]
    assert "".join(text or "" for text in texts) == "hello  local world"
    assert chunks[-1]["choices"] == []
    assert chunks[-1]["usage"]["prompt_tokens"] == 3


def test_it_refuses_what_is_no_request(orq_router: LocalRouter) -> None:
    url = f"{orq_router.url}/v2/router/chat/completions"
    assert requests.post(url, data=b"no json", timeout=10).status_code == 400
    assert orq_router.requests[0].json is None
    assert requests.post(f"{orq_router.url}/v1/other", timeout=10).status_code == 404


def test_queued_answers_come_first(orq_router: LocalRouter) -> None:
    orq_router.always(reply({"kind": "always"}))
    orq_router.enqueue(reply({"kind": "queued"}, status=503, headers={"Retry-After": "1"}))
    first, second = ask(orq_router), ask(orq_router)
    assert (first.status_code, first.headers["Retry-After"]) == (503, "1")
    assert second.json() == {"kind": "always"}


def test_a_body_can_be_cut_anywhere(orq_router: LocalRouter) -> None:
    whole = stream(chunk("a"), DONE)
    cut = whole.chunked_at(range(len(whole.body)))
    assert len(cut.steps) == len(whole.body)
    orq_router.always(cut)
    assert ask(orq_router).content == whole.body


def test_a_recording_is_replayed(orq_router: LocalRouter) -> None:
    headers = {"content-type": "text/plain", "content-length": "999", "x-kept": "1"}
    orq_router.always(recorded({"response": {"status": 418, "headers": headers, "body": "tea"}}))
    answer = ask(orq_router)
    assert (answer.status_code, answer.text, answer.headers["x-kept"]) == (418, "tea", "1")


@pytest.mark.parametrize("end", [Cut(), Reset()])
def test_connections_break(orq_router: LocalRouter, end: Any) -> None:
    orq_router.always(stream(chunk("a"), end))
    with pytest.raises(requests.RequestException):
        ask(orq_router)


def test_a_step_can_wait_for_the_test(orq_router: LocalRouter) -> None:
    gate = threading.Event()
    orq_router.always(stream(chunk("a"), Wait(gate), Pause(0.01), DONE))
    threading.Timer(0.05, gate.set).start()
    assert ask(orq_router).content.endswith(DONE)


def test_a_stall_ends_with_the_router() -> None:
    router = LocalRouter()
    router.start()
    router.always(stream(chunk("a"), Stall()))
    url = f"{router.url}/v1/chat/completions"
    answer = requests.post(url, json={"messages": []}, stream=True, timeout=10)
    began = time.monotonic()
    router.stop()
    router.stop()
    assert time.monotonic() - began < 5
    answer.close()


def test_clients_that_leave_are_counted(orq_router: LocalRouter) -> None:
    orq_router.always(stream(*[chunk("a" * 1000), Pause(0.01)] * 500))
    url = f"{orq_router.url}/v1/chat/completions"
    with requests.post(url, json={"messages": []}, stream=True, timeout=10) as answer:
        next(answer.iter_content(10))
    for _ in range(500):
        if orq_router.disconnected:
            break
        time.sleep(0.01)
    assert orq_router.disconnected == 1


def test_a_port_in_use_is_told(orq_router: LocalRouter) -> None:
    with pytest.raises(OSError, match="address"):
        LocalRouter(orq_router.port).start()


def test_serving_in_the_foreground(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    recording = {"response": {"status": 200, "headers": {}, "body": "data: [DONE]\n\n"}}
    path = tmp_path / "recording.json"
    path.write_text(json.dumps(recording))

    class Interrupted(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            raise KeyboardInterrupt

    asked: list[str] = []

    def ready(url: str) -> None:
        asked.append(requests.post(f"{url}/v1/chat/completions", json={}, timeout=10).text)
        monkeypatch.setattr("orq_core.testing.server.threading.Event", Interrupted)

    with pytest.raises(KeyboardInterrupt):
        serve(replay=path, delay=0.001, ready=ready)
    assert asked == ["data: [DONE]\n\n"]


def test_what_it_accepts_while_it_stops_is_closed() -> None:
    clients: list[socket.socket] = []
    router = LocalRouter()
    router.start()
    loop, stop = router._loop, router._stop
    assert loop is not None
    assert stop is not None

    def connect() -> None:
        clients.append(socket.create_connection(("127.0.0.1", router.port), timeout=10))
        # In the turn of the loop in which it is accepted.
        loop.call_soon(stop.set)

    loop.call_soon_threadsafe(connect)
    router._thread.join(10)
    # What is open warns, which is an error here.
    gc.collect()
    with clients[0] as client, contextlib.suppress(ConnectionError):
        assert client.recv(1) == b""


def request() -> HttpRequest:
    return HttpRequest("POST", "http://x.test", {}, b"{}", Limits.start(Timeout()))


def test_the_scripted_transport_records_and_breaks(mode: Mode) -> None:
    transport = ScriptedTransport(
        ValueError("scripted"),
        lambda http: Reply(200, {"X-Method": http.method}, (Send(b"a"), Send(b""), Send(b"b"))),
        is_async=mode.is_async,
    )

    async def body() -> None:
        with pytest.raises(ValueError, match="scripted"):
            await transport.send(request())
        response = await transport.send(request())
        assert response.headers["x-method"] == "POST"
        assert await response.receive() == b"a"
        assert transport.open_responses == 1
        assert await response.read() == b"b"
        response.close()
        await transport.close()

    mode.run(body)
    assert transport.open_responses == 0
    assert transport.closed
    assert len(transport.requests) == 2


def test_completions_and_chunks_have_the_wire_shape() -> None:
    body = completion("hi", tool_calls=[])
    assert body["choices"][0]["message"] == {
        "role": "assistant",
        "content": "hi",
        "tool_calls": [],
    }
    assert chunk("a", index=2, role="assistant")["choices"][0] == {
        "index": 2,
        "delta": {"role": "assistant", "content": "a"},
        "finish_reason": None,
    }
