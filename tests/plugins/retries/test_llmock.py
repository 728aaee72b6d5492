"""Against LLMock, a fault server of others' making, which also judges its clients."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.error
import urllib.request
from typing import Any

import pytest

from orq_core import (
    APIStatusError,
    APITimeoutError,
    AuthenticationError,
    BadRequestError,
    NotFoundError,
    OrqError,
    PermissionDeniedError,
    RateLimitError,
    ResponseDecodeError,
    RetryPolicy,
    StreamInterruptedError,
    StreamTruncatedError,
    Timeout,
    UnprocessableEntityError,
)
from orq_core.testing import Mode
from orq_plugins.retries import Retries
from tests.plugins.retries.scene import HELLO, HastyRuntime
from tests.real.conftest import free_port, need

pytestmark = pytest.mark.real

QUICK = Retries(policy=RetryPolicy(max_repeats=3), budget=None)
START = 20.0  # seconds


class LLMock:
    """The server in a process of its own."""

    def __init__(self) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        command = [sys.executable, "-c", "from llmock.cli import app; app()", "serve"]
        options = ["--host", "127.0.0.1", "--port", str(self.port), "--log-level", "critical"]
        self.process = subprocess.Popen(
            [*command, *options, "--response-style", "hello"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def wait(self) -> LLMock:
        latest = time.monotonic() + START
        while True:
            try:
                self.ask("GET", "/health")
            except (OSError, urllib.error.URLError):
                assert self.process.poll() is None
                assert time.monotonic() < latest
                time.sleep(0.02)
            else:
                return self

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, method=method)
        with urllib.request.urlopen(request, timeout=5) as answer:
            return json.loads(answer.read())

    def plan(self, *behaviors: Any) -> None:
        self.ask("POST", "/_llmock/reset", {})
        if behaviors:
            self.ask("POST", "/_llmock/scenario", {"behaviors": list(behaviors)})

    @property
    def served(self) -> int:
        return int(self.ask("GET", "/_llmock/requests")["count"])

    def judged(self) -> set[str]:
        """What it finds wrong with its client."""
        verdict = self.ask("GET", "/_llmock/verdict")
        return {finding["code"] for finding in verdict["findings"]}

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


@pytest.fixture(scope="module")
def llmock() -> Any:
    need("llmock")
    server = LLMock()
    try:
        yield server.wait()
    finally:
        server.kill()


def ask(
    mode: Mode,
    server: LLMock,
    *,
    streamed: bool,
    timeout: Any = 10,
    hasty: bool = True,
    **more: Any,
) -> Any:
    """Return the completion, or the error; ``hasty``: pauses are only noted."""

    async def body() -> Any:
        arguments = {"server_url": f"{server.url}/v1", "timeout": timeout, "plugins": [QUICK]}
        async with mode.client(api_key="fake-key", discover=False, **arguments) as client:
            if hasty:
                client._core.runtime = HastyRuntime(mode.is_async)
            try:
                answer = await mode.create(
                    client, messages=HELLO, model="gpt-4o-mini", stream=streamed, **more
                )
                return await mode.completion(answer) if streamed else answer
            except OrqError as error:
                return error

    return mode.run(body)


def fail(status: int, times: int = 1, **details: Any) -> Any:
    return {"type": "fail", "status": status, "times": times, **details}


def fault(kind: str, after: int = 0, times: int = 1) -> Any:
    return {
        "type": "stream_fault",
        "kind": kind,
        "after_chunks": after,
        "stall_seconds": 30,
        "times": times,
    }


@pytest.mark.parametrize("streamed", [False, True])
def test_without_a_fault(mode: Mode, llmock: LLMock, streamed: bool) -> None:
    llmock.plan()
    assert ask(mode, llmock, streamed=streamed).text
    assert llmock.served == 1


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("status", [408, 409, 425, 429, 500, 502, 503, 504, 529])
def test_statuses_that_are_recovered(
    mode: Mode, llmock: LLMock, status: int, streamed: bool
) -> None:
    llmock.plan(fail(status, times=2))
    assert ask(mode, llmock, streamed=streamed).text
    assert llmock.served == 3


FINAL = {
    400: BadRequestError,
    401: AuthenticationError,
    402: APIStatusError,
    403: PermissionDeniedError,
    404: NotFoundError,
    413: APIStatusError,
    422: UnprocessableEntityError,
    501: APIStatusError,
}


@pytest.mark.parametrize("status", FINAL)
def test_statuses_that_are_raised(mode: Mode, llmock: LLMock, status: int) -> None:
    llmock.plan(fail(status))
    error = ask(mode, llmock, streamed=False)
    assert isinstance(error, FINAL[status])
    assert error.status_code == status
    assert llmock.served == 1
    assert llmock.judged() == set()


def test_an_outage_that_lasts(mode: Mode, llmock: LLMock) -> None:
    llmock.plan(fail(503, times=9))
    error = ask(mode, llmock, streamed=True)
    assert error.status_code == 503
    assert len(error.attempts) == llmock.served == 4


def test_a_spent_quota(mode: Mode, llmock: LLMock) -> None:
    llmock.plan(fail(429, code="insufficient_quota"))
    assert isinstance(ask(mode, llmock, streamed=False), RateLimitError)
    assert llmock.served == 1


def test_a_wait_is_kept(mode: Mode, llmock: LLMock) -> None:
    llmock.plan(fail(429, retry_after=1))
    began = time.monotonic()
    assert ask(mode, llmock, streamed=False, hasty=False).text
    assert 1 <= time.monotonic() - began < 5
    assert llmock.served == 2
    assert llmock.judged() == set()


def test_a_wait_that_is_too_long(mode: Mode, llmock: LLMock) -> None:
    llmock.plan(fail(429, retry_after=11))
    assert ask(mode, llmock, streamed=False).retry_after == 11
    assert llmock.served == 1


@pytest.mark.parametrize("after", [0, 1])
@pytest.mark.parametrize("kind", ["disconnect", "truncate", "stall"])
def test_streams_that_fail_before_their_content(
    mode: Mode, llmock: LLMock, kind: str, after: int
) -> None:
    llmock.plan(fault(kind, after))
    timeout = Timeout(first_event=0.3, idle=0.3, total=10)
    assert ask(mode, llmock, streamed=True, timeout=timeout).text
    assert llmock.served == 2


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("disconnect", StreamInterruptedError),
        ("truncate", StreamTruncatedError),
        ("stall", APITimeoutError),
        ("malformed", ResponseDecodeError),
    ],
)
def test_streams_that_fail_inside_their_content(
    mode: Mode, llmock: LLMock, kind: str, error: type[OrqError]
) -> None:
    llmock.plan(fault(kind, after=2))
    timeout = Timeout(first_event=5, idle=0.3, total=10)
    assert isinstance(ask(mode, llmock, streamed=True, timeout=timeout), error)
    assert llmock.served == 1


def test_an_unreadable_first_event(mode: Mode, llmock: LLMock) -> None:
    llmock.plan(fault("malformed"))
    assert isinstance(ask(mode, llmock, streamed=True), ResponseDecodeError)
    assert llmock.served == 1


@pytest.mark.parametrize("streamed", [False, True])
def test_an_answer_that_comes_late(mode: Mode, llmock: LLMock, streamed: bool) -> None:
    llmock.plan({"type": "delay", "seconds": 30})
    timeout = Timeout(first_event=0.3, total=10)
    assert ask(mode, llmock, streamed=streamed, timeout=timeout).text


def test_a_first_event_that_comes_late(mode: Mode, llmock: LLMock) -> None:
    llmock.plan({"type": "slow_first_token", "seconds": 30})
    timeout = Timeout(first_event=0.3, idle=0.3, total=10)
    assert ask(mode, llmock, streamed=True, timeout=timeout).text
    assert llmock.served == 2


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("kind", ["malformed_arguments", "unknown_tool"])
def test_a_broken_tool_call_is_an_answer(
    mode: Mode, llmock: LLMock, kind: str, streamed: bool
) -> None:
    llmock.plan({"type": "tool_fault", "kind": kind})
    tools = [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]
    answer = ask(mode, llmock, streamed=streamed, tools=tools)
    (call,) = answer.choices[0].message.tool_calls
    assert answer.choices[0].finish_reason == "tool_calls"
    if kind == "unknown_tool":
        assert call.function.name != "f"
    else:
        with pytest.raises(ValueError):
            json.loads(call.function.arguments)
    assert llmock.served == 1


def test_everything_at_once(mode: Mode, llmock: LLMock) -> None:
    llmock.plan(fail(500), fail(429, retry_after=0), fault("truncate", 1))
    assert ask(mode, llmock, streamed=True).text
    assert llmock.served == 4
