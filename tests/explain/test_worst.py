"""The worst case, multiplied out."""

from __future__ import annotations

from typing import Any

import pytest

from orq_core import Timeout
from orq_core.explain.worst import Loop, RouterPolicy, router_policy, warnings_of, worst_case

LIMITS = Timeout(connect=10, first_event=120, idle=60, total=600)
OPEN = Timeout(None, None, None, None)
PLENTY = Timeout(connect=1, first_event=9, idle=5, total=1000)


@pytest.mark.parametrize(
    ("body", "expected", "attempts", "seconds"),
    [
        ({}, RouterPolicy(), 1, None),
        ({"retry": None, "fallbacks": None, "timeout": None}, RouterPolicy(), 1, None),
        ({"retry": {"count": 2}}, RouterPolicy(2), 3, None),
        ({"retry": {"on_codes": [429]}}, RouterPolicy(3), 4, None),
        ({"retry": {"count": True}}, RouterPolicy(3), 4, None),
        ({"retry": {"count": -1}}, RouterPolicy(3), 4, None),
        ({"retry": {"count": 1e9}}, RouterPolicy(100), 101, None),
        ({"fallbacks": [{"model": "a"}, {"model": "b"}]}, RouterPolicy(0, 2), 3, None),
        ({"timeout": {"call_timeout": 2500}}, RouterPolicy(0, 0, 2.5), 1, 2.5),
        ({"timeout": {"call_timeout": "soon"}}, RouterPolicy(), 1, None),
        (
            {
                "retry": {"count": 2.0},
                "fallbacks": [{"model": "a"}],
                "timeout": {"call_timeout": 10_000},
            },
            RouterPolicy(2, 1, 10.0),
            6,
            6 * 10 + 2 * 1.25 * (1 + 2),
        ),
        ({"orq": {"retry": {"count": 1}, "fallbacks": [{}]}}, RouterPolicy(1, 1), 4, None),
    ],
)
def test_what_is_asked_of_the_router(
    body: dict[str, Any], expected: RouterPolicy, attempts: int, seconds: float | None
):
    policy = router_policy(body)
    assert policy == expected
    assert (policy.attempts, policy.seconds) == (attempts, seconds)


# timeout, loops, router, then: attempts, requests to models, one attempt, pauses, first, cut short
CASES = [
    ("one", LIMITS, [], {}, (1, 1, 130, 0, 130, False)),
    ("retries", LIMITS, [Loop(3, 120.0)], {}, (3, 3, 130, 120, 510, False)),
    ("cut", LIMITS, [Loop(6, 300.0)], {}, (6, 6, 130, 300, 600, True)),
    ("router", LIMITS, [Loop(3, 1.5)], {"retries": 2, "fallbacks": 1}, (3, 18, 130, 1.5, 391.5, 0)),
    ("loops", PLENTY, [Loop(2, 5.0), Loop(3, 2.0)], {}, (6, 6, 10, 9, 69, False)),
    ("elapsed", PLENTY, [Loop(None, 50.0, 50.0)], {}, (None, None, 10, 50, 60, False)),
    ("endless", PLENTY, [Loop(None, 0.0)], {}, (None, None, 10, 0, 1000, True)),
    ("in it", PLENTY, [Loop(2, None), Loop(3, 2.0)], {}, (6, 6, 10, 1000, 1000, True)),
    ("open", OPEN, [Loop(3, 120.0)], {}, (3, 3, None, 120, None, False)),
    ("nothing", OPEN, [], {}, (1, 1, None, 0, None, False)),
    ("a promise", Timeout(2, 2, 2, 2), [Loop(3, 120.0)], {}, (3, 3, 2, 2, 2, True)),
]


@pytest.mark.parametrize(("timeout", "loops", "router", "expected"), [each[1:] for each in CASES])
def test_the_worst_case(
    timeout: Timeout, loops: list[Loop], router: dict[str, int], expected: tuple[Any, ...]
):
    worst = worst_case(timeout, loops, RouterPolicy(**router), stream=False)
    assert (
        worst.attempts,
        worst.model_requests,
        worst.attempt_seconds,
        worst.pauses,
        worst.first_event_seconds,
        worst.cut_short,
    ) == expected
    assert worst.total_seconds == worst.first_event_seconds
    assert worst_case(timeout, loops, RouterPolicy(), stream=True).total_seconds == timeout.total


@pytest.mark.parametrize(
    ("loops", "router", "expected"),
    [
        ([], RouterPolicy(), []),
        ([], RouterPolicy(5, 0, 60.0), ["the router may take"]),
        ([Loop(3, 300.0)], RouterPolicy(), ["timeout.total (600 s)"]),
        ([Loop(2, 1.0)], RouterPolicy(1), ["both repeat"]),
    ],
)
def test_what_does_not_fit_together(loops: list[Loop], router: RouterPolicy, expected: list[str]):
    worst = worst_case(LIMITS, loops, router, stream=False)
    warnings = warnings_of(LIMITS, router, worst)
    assert len(warnings) == len(expected)
    for warning, part in zip(warnings, expected, strict=True):
        assert part in warning
