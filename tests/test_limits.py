"""The four time-outs on a clock that a test moves."""

from __future__ import annotations

import pytest

from orq_core import APITimeoutError, ConfigurationError, RetryPolicy, Timeout
from orq_core.limits import Limits


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_each_phase_begins_anew_and_the_total_does_not() -> None:
    clock = Clock()
    limits = Limits.start(Timeout(connect=2, first_event=5, idle=3, total=12), clock)
    limits.enter("connect")
    assert limits.remaining() == 2
    clock.now += 1
    limits.enter("first_event")
    assert limits.remaining() == 5
    clock.now += 4
    limits.enter("idle")
    assert limits.remaining() == 3
    clock.now += 2.9
    limits.enter("idle")
    clock.now += 2.9
    limits.enter("idle")
    assert limits.remaining() == pytest.approx(1.2)
    again = limits.attempt()
    assert again.phase == "connect"
    assert again.remaining() == pytest.approx(1.2)


@pytest.mark.parametrize(
    ("phase", "passed", "kind", "seconds"),
    [
        ("connect", 2, "connect", 2),
        ("first_event", 5, "first_event", 5),
        ("idle", 3, "idle", 3),
        ("idle", 13, "idle", 3),
    ],
)
def test_the_limit_reached_first_is_named(
    phase: str, passed: float, kind: str, seconds: float
) -> None:
    clock = Clock()
    limits = Limits.start(Timeout(connect=2, first_event=5, idle=3, total=12), clock)
    limits.enter(phase)  # type: ignore[arg-type]
    clock.now += passed
    with pytest.raises(APITimeoutError, match=rf"timeout\.{kind}") as caught:
        limits.remaining()
    assert (caught.value.kind, caught.value.seconds) == (kind, seconds)


def test_the_total_ends_a_phase_that_goes_on() -> None:
    clock = Clock()
    limits = Limits.start(Timeout(idle=3, total=4), clock)
    clock.now += 2
    limits.enter("idle")
    clock.now += 2
    with pytest.raises(APITimeoutError) as caught:
        limits.remaining()
    assert caught.value.kind == "total"


def test_a_limit_can_be_lifted() -> None:
    clock = Clock()
    limits = Limits.start(Timeout(connect=None, idle=None, total=None), clock)
    limits.enter("connect")
    assert limits.remaining() is None
    assert Limits.start(Timeout(idle=None, total=7), clock).remaining() == 7
    limits.enter("first_event")
    assert limits.remaining() == 120


@pytest.mark.parametrize("field", ["connect", "first_event", "idle", "total"])
@pytest.mark.parametrize("value", [0, -1, "1", True])
def test_a_limit_must_be_positive_seconds(field: str, value: object) -> None:
    with pytest.raises(ConfigurationError, match=field):
        Timeout(**{field: value})  # type: ignore[arg-type]


@pytest.mark.parametrize("value", [-1, "1", True])
def test_a_policy_has_no_negative_numbers(value: object) -> None:
    with pytest.raises(ConfigurationError, match="RetryPolicy: max_repeats"):
        RetryPolicy(max_repeats=value)  # type: ignore[arg-type]
