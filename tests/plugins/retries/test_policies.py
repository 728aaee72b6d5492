"""How often and how soon: policies, numbers, the seed's settings, and off."""

from __future__ import annotations

from typing import Any

import pytest

from orq_core import (
    APIConnectionError,
    APITimeoutError,
    BackoffStrategy,
    CallOptions,
    ConfigurationError,
    ConnectError,
    InternalServerError,
    OrqError,
    RetryConfig,
    RetryPolicy,
    Timeout,
)
from orq_core.testing import Cut, Mode, Send, reply, stream
from orq_plugins.retries import Retries
from orq_plugins.retries.policy import schedule
from tests.plugins.retries.scene import OK, OK_STREAM, Scene

DOWN = reply({"error": {"message": "made up"}}, status=503)


def seed(*backoff: Any, connections: bool = True, strategy: str = "backoff") -> RetryConfig:
    return RetryConfig(strategy, BackoffStrategy(*backoff), connections)


def pauses(mode: Mode, draw: float = 1.0, timeout: Any = 10**6, **arguments: Any) -> list[float]:
    plugin = Retries(random=lambda: draw, budget=None)
    scene = Scene(mode, DOWN, plugin=plugin, timeout=timeout)
    scene.fails(InternalServerError, **arguments)
    assert scene.sent == len(scene.runtime.pauses) + 1
    return scene.runtime.pauses


def test_the_default(mode: Mode) -> None:
    assert pauses(mode) == [0.5, 1.0]
    assert pauses(mode, 0.5) == [0.25, 0.5]
    assert pauses(mode, 0.0) == [0.05, 0.05]


@pytest.mark.parametrize(
    "off", [None, 0, RetryPolicy(max_repeats=0), seed(1, 1, 1, 1, strategy="no")]
)
def test_off(mode: Mode, off: Any) -> None:
    for client in ({"retries": off}, {"plugin": Retries(policy=off)}):
        scene = Scene(mode, DOWN, **client)
        scene.fails(InternalServerError)
        assert scene.sent == 1
        assert "Idempotency-Key" not in scene.transport.requests[0].headers
    assert pauses(mode, retries=off) == []


def test_a_number_of_repeats(mode: Mode) -> None:
    assert pauses(mode, retries=1) == [0.5]
    assert pauses(mode, retries=7) == [0.5, 1.0, 2.0, 4.0, 8.0, 8.0, 8.0]


def test_a_number_keeps_the_plugins_times(mode: Mode) -> None:
    plugin = Retries(policy=RetryPolicy(base_delay=2, max_delay=3), random=lambda: 1.0)
    scene = Scene(mode, DOWN, plugin=plugin)
    scene.fails(retries=3)
    assert scene.runtime.pauses == [2, 3, 3]


def test_a_policy(mode: Mode) -> None:
    policy = RetryPolicy(max_repeats=3, base_delay=0.1, max_delay=0.3, min_delay=0.15)
    assert pauses(mode, retries=policy) == [0.15, 0.2, 0.3]
    assert pauses(mode, retries=RetryPolicy(max_repeats=1, base_delay=0, min_delay=0)) == [0]


@pytest.mark.parametrize("repeats", [1, 2, 7, 50])
@pytest.mark.parametrize("times", [{}, {"base_delay": 0}, {"min_delay": 3}, {"max_delay": 100}])
@pytest.mark.parametrize("most", [0, 1, 60])
def test_the_longest_pauses_add_up(repeats: int, times: Any, most: float) -> None:
    policy = RetryPolicy(repeats, max_retry_after=most, **times)
    timing = schedule(policy, policy)
    assert timing is not None
    each = [max(timing.pause(repeat, 1.0), most) for repeat in range(repeats)]
    assert timing.longest == pytest.approx(sum(each))


def test_billions_of_repeats_are_added_up_at_once() -> None:
    timing = schedule(10**12, RetryPolicy())
    assert timing is not None
    assert timing.longest == 60.0 * 10**12


def test_pauses_stay_finite(mode: Mode) -> None:
    policy = RetryPolicy(max_repeats=1100, max_delay=1.0, min_delay=0)
    assert pauses(mode, retries=policy, timeout=Timeout(total=None))[-1] == 1.0
    config = seed(1, 1000, 10.0**9, 10**6, connections=False)
    assert max(pauses(mode, retries=config, draw=0.0)) == 1.0


def test_the_calls_setting_wins(mode: Mode) -> None:
    scene = Scene(mode, DOWN, plugin=Retries(policy=5), retries=4)
    scene.fails(options=CallOptions(retries=3), retries=1)
    assert scene.sent == 2
    scene = Scene(mode, DOWN, plugin=Retries(policy=5), retries=4)
    scene.fails(options=CallOptions(retries=3))
    assert scene.sent == 4
    scene = Scene(mode, DOWN, plugin=Retries(policy=5))
    scene.fails()
    assert scene.sent == 6


def test_the_seeds_pauses_are_milliseconds(mode: Mode) -> None:
    config = seed(500, 3000, 1.5, 10_000)
    assert pauses(mode, 0.0, retries=config) == [0.5, 0.75, 1.125, 1.6875, 2.53125, 3.0]
    assert pauses(mode, 1.0, retries=config) == [1.0, 1.5, 2.125, 2.6875]


def test_the_seeds_jitter_comes_after_the_cap(mode: Mode) -> None:
    assert pauses(mode, 0.5, retries=seed(10_000, 2000, 1.0, 6000)) == [2.5, 2.5]
    assert pauses(mode, 0.5, retries=seed(10, 20, 1.0, 60)) == pytest.approx([0.015] * 4)


def test_nothing_is_repeated_after_the_seeds_elapsed_time(mode: Mode) -> None:
    assert pauses(mode, 0.0, retries=seed(1000, 1000, 1.0, 3000)) == [1.0, 1.0, 1.0]
    assert pauses(mode, 0.0, retries=seed(1000, 1000, 1.0, 2999)) == [1.0, 1.0]
    assert pauses(mode, 0.0, retries=seed(1000, 1000, 1.0, 0)) == []


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_the_seeds_statuses(mode: Mode, status: int) -> None:
    scene = Scene(mode, reply(status=status), OK, retries=seed(1, 2, 1.0, 100, connections=False))
    assert scene.create().text == "hi"


@pytest.mark.parametrize("status", [408, 409, 425, 501, 529])
def test_statuses_the_seed_does_not_repeat(mode: Mode, status: int) -> None:
    scene = Scene(mode, reply(status=status), OK, retries=seed(1, 2, 1.0, 100))
    scene.fails()
    assert scene.sent == 1


@pytest.mark.parametrize(
    "failure",
    [
        ConnectError("made up"),
        APIConnectionError("made up"),
        APITimeoutError("made up", kind="connect"),
        APITimeoutError("made up", kind="first_event"),
        stream(Send(b""), Cut()),
        stream(),
    ],
    ids=["connect", "reset", "connect time-out", "first byte", "broken", "truncated"],
)
def test_the_seeds_word_on_connections(mode: Mode, failure: Any) -> None:
    scene = Scene(mode, failure, OK_STREAM, retries=seed(1, 2, 1.0, 100))
    assert scene.create(stream=True).text == "hi"
    scene = Scene(mode, failure, OK_STREAM, retries=seed(1, 2, 1.0, 100, connections=False))
    scene.fails(OrqError, stream=True)
    assert scene.sent == 1


def test_the_seeds_settings_as_the_plugins_default(mode: Mode) -> None:
    plugin = Retries(policy=seed(100, 100, 1.0, 250), random=lambda: 0.0)
    scene = Scene(mode, DOWN, plugin=plugin)
    scene.fails()
    assert scene.runtime.pauses == [0.1, 0.1]


@pytest.mark.parametrize(
    "arguments",
    [
        {"policy": -1},
        {"policy": True},
        {"policy": "2"},
        {"budget": -1},
        {"budget": "10"},
        {"budget_refill": None},
        {"budget_refill": True},
    ],
    ids=str,
)
def test_unusable_arguments(arguments: Any) -> None:
    with pytest.raises(ConfigurationError):
        Retries(**arguments)


def test_arguments_are_keywords() -> None:
    with pytest.raises(TypeError):
        Retries(RetryPolicy())  # type: ignore[misc]


def test_real_randomness_stays_in_its_range(mode: Mode) -> None:
    scene = Scene(mode, DOWN, plugin=Retries(budget=None))
    scene.fails(retries=RetryPolicy(max_repeats=50), timeout_ms=10**6)
    for number, pause in enumerate(scene.runtime.pauses):
        assert 0.05 <= pause <= min(8, 0.5 * 2**number)
    assert len(set(scene.runtime.pauses)) > 25
