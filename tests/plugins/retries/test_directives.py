"""What a server says about repeats, how much time is left, and what the router does itself."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from typing import Any

import pytest

from orq_core import (
    APIConnectionError,
    APIStatusError,
    APITimeoutError,
    ConnectError,
    InternalServerError,
    OrqError,
    RateLimitError,
    RetryPolicy,
)
from orq_core.testing import Cut, Mode, Send, error_event, reply, stream
from tests.plugins.retries.scene import OK, OK_STREAM, Scene

NOW = datetime(2020, 1, 1, tzinfo=timezone.utc)


def date(seconds: float) -> str:
    return format_datetime(NOW + timedelta(seconds=seconds), usegmt=True)


def busy(status: int = 429, **headers: str) -> Any:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return reply({"error": {"message": "made up"}}, status=status, headers=named)


@pytest.mark.parametrize(
    ("headers", "pause"),
    [
        ({"retry_after": "7"}, 7),
        ({"Retry_After": "1.5"}, 1.5),
        ({"retry_after": "0"}, 0.05),
        ({"retry_after": "60"}, 60),
        ({"retry_after_ms": "1234"}, 1.234),
        ({"retry_after_ms": "1234", "retry_after": "9"}, 1.234),
        ({"retry_after_ms": "soon", "retry_after": "9"}, 9),
        ({"retry_after": date(12), "date": date(0)}, 12),
        ({"retry_after": date(-12), "date": date(0)}, 0.5),
        ({"retry_after": "-7"}, 0.5),
        ({"retry_after": "-0.001"}, 0.5),
        ({"retry_after": "nan"}, 0.5),
        ({"retry_after": "inf"}, 0.5),
        ({"retry_after": "soon"}, 0.5),
        ({"retry_after": ""}, 0.5),
        ({"retry_after_ms": "-1"}, 0.5),
    ],
    ids=str,
)
def test_a_wait_that_is_asked_for(mode: Mode, headers: Any, pause: float) -> None:
    scene = Scene(mode, busy(**headers), OK)
    assert scene.create().text == "hi"
    assert scene.runtime.pauses == [pause]


def test_a_wait_beyond_the_cap_is_handed_on(mode: Mode) -> None:
    scene = Scene(mode, busy(retry_after="61"), OK)
    assert scene.fails(RateLimitError).retry_after == 61
    assert (scene.sent, scene.runtime.pauses) == (1, [])
    scene = Scene(mode, busy(retry_after="61"), OK)
    assert scene.create(retries=RetryPolicy(max_retry_after=61)).text == "hi"


@pytest.mark.parametrize("asked", ["10", "11"])
def test_a_wait_beyond_the_deadline_is_handed_on(mode: Mode, asked: str) -> None:
    scene = Scene(mode, busy(retry_after=asked), OK, timeout=10)
    assert scene.fails(RateLimitError).retry_after == float(asked)
    assert (scene.sent, scene.runtime.pauses) == (1, [])


def test_a_pause_of_its_own_does_not_reach_the_deadline_either(mode: Mode) -> None:
    scene = Scene(mode, busy(500), timeout=1.5)
    scene.fails(InternalServerError)
    assert scene.runtime.pauses == [0.5]
    assert scene.runtime.time < 1001.5


@pytest.mark.parametrize("status", [400, 408, 429, 500, 501])
def test_the_servers_word_on_repeats(mode: Mode, status: int) -> None:
    scene = Scene(mode, busy(status, x_should_retry=" TRUE "), OK)
    assert scene.create().text == "hi"
    scene = Scene(mode, busy(status, x_should_retry="false", retry_after="1"), OK)
    scene.fails(APIStatusError)
    assert scene.sent == 1


def test_a_word_that_is_none_is_ignored(mode: Mode) -> None:
    assert Scene(mode, busy(500, x_should_retry="maybe"), OK).create().text == "hi"
    Scene(mode, busy(400, x_should_retry="1"), OK).fails(APIStatusError)


def test_payment_is_not_a_matter_of_waiting(mode: Mode) -> None:
    scene = Scene(mode, busy(402, x_should_retry="true", retry_after="1"), OK)
    scene.fails(APIStatusError)
    assert scene.sent == 1


ROUTED: list[dict[str, Any]] = [
    {"retry": {"count": 2}},
    {"fallbacks": [{"model": "fake/other"}]},
    {"extra_body": {"orq": {"retry": {"count": 2}}}},
    {"extra_body": {"orq": {"fallbacks": [{"model": "fake/other"}]}}},
    {"extra_body": {"retry": {"count": 2}}},
]


@pytest.mark.parametrize("body", ROUTED, ids=str)
def test_attempts_do_not_multiply_with_the_routers(mode: Mode, body: Any) -> None:
    final: list[Any] = [
        busy(429),
        busy(503),
        busy(500, retry_after="1"),
        busy(502),
        busy(408),
        busy(400, x_should_retry="true"),
        APITimeoutError("made up", kind="first_event"),
        stream(Send(b""), Cut()),
        stream(error_event(code=429)),
        stream(),
    ]
    for failure in final:
        scene = Scene(mode, failure, OK_STREAM)
        scene.fails(OrqError, stream=True, **body)
        assert scene.sent == 1
    passing: list[Any] = [
        busy(429, retry_after="1"),
        busy(503, retry_after_ms="10"),
        ConnectError("made up"),
        APIConnectionError("made up"),
        APITimeoutError("made up", kind="connect"),
    ]
    for failure in passing:
        scene = Scene(mode, failure, OK_STREAM)
        assert scene.create(stream=True, **body).text == "hi"


@pytest.mark.parametrize("body", [{"fallbacks": []}, {"retry": None}, {"extra_body": {"orq": {}}}])
def test_a_router_that_was_asked_for_nothing(mode: Mode, body: Any) -> None:
    assert Scene(mode, busy(500), OK).create(**body).text == "hi"
