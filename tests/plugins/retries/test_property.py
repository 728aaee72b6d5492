"""Over random faults: never too many attempts, never twice the same words, never too long."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from orq_core import APITimeoutError, ConnectError, OrqError, RetryPolicy, Timeout
from orq_core.testing import DONE, MODES, Cut, Raise, chunk, error_event, reply, stream
from orq_plugins.retries import Retries
from tests.plugins.retries.scene import ROLE, Scene

TICK = 1e-6

WHOLE = stream(ROLE, chunk("a"), chunk("b"), chunk(finish_reason="stop"), DONE)
FAULTS: list[Any] = [
    reply(status=500),
    reply(status=400),
    reply(status=429, headers={"retry-after": "3"}),
    reply(status=503, headers={"retry-after-ms": "0"}),
    reply(status=503, headers={"retry-after": "100"}),
    reply(status=503, headers={"x-should-retry": "false"}),
    reply(status=400, headers={"x-should-retry": "true"}),
    reply({"error": {"code": "insufficient_quota"}}, status=429),
    ConnectError("made up"),
    stream(Cut()),
    stream(ROLE),
    stream(ROLE, Cut()),
    stream(ROLE, error_event(code="overloaded")),
    stream(ROLE, Raise(APITimeoutError("made up", kind="idle"))),
    stream(ROLE, chunk("a"), Cut()),
    stream(ROLE, chunk("a"), error_event(code=503)),
    stream(chunk(reasoning="a"), Raise(APITimeoutError("made up", kind="idle"))),
    "stall",
    WHOLE,
]

scripts = st.lists(
    st.tuples(st.integers(0, len(FAULTS) - 1), st.floats(0, 5)), min_size=1, max_size=12
)


@settings(max_examples=200, deadline=None)
@given(
    script=scripts,
    repeats=st.integers(0, 6),
    total=st.floats(0.5, 40),
    draws=st.lists(st.floats(0, 1), min_size=1, max_size=8),
    asyncio=st.booleans(),
    streamed=st.booleans(),
)
def test_bounds(
    script: Any, repeats: int, total: float, draws: Any, asyncio: bool, streamed: bool
) -> None:
    numbers = iter(draws * 20)
    plugin = Retries(policy=RetryPolicy(max_repeats=repeats), random=lambda: next(numbers))
    scene = Scene(
        MODES[asyncio], plugin=plugin, timeout=Timeout(connect=8, first_event=8, total=total)
    )
    runtime, sent_at, late = scene.runtime, [], []

    def answer(fault: Any, seconds: float) -> Any:
        def play(http: Any) -> Any:
            sent_at.append(runtime.time)
            late.append(scene.info is not None)  # `create` had returned: something was delivered
            runtime.time = http.limits.next_at if fault == "stall" else runtime.time + seconds
            runtime.time = min(runtime.time, http.limits.next_at)
            http.limits.remaining()
            if isinstance(fault, Exception):
                raise fault
            return fault

        return play

    scene.transport._replies.clear()
    scene.transport._replies.extend(answer(FAULTS[n], seconds) for n, seconds in script)
    failure = None
    try:
        scene.create(stream=streamed)
    except OrqError as error:
        failure = error
    assert scene.sent <= 1 + repeats
    assert len(runtime.pauses) == scene.sent - 1
    assert runtime.time <= 1000 + total + TICK
    assert all(at < 1000 + total for at in sent_at)
    said = [each.text for each in scene.seen if each.text]
    assert said in ([], ["a"], ["a", "b"])
    assert not any(late)
    if failure is not None:
        assert len(failure.attempts) == scene.sent
