"""What servers write about their limits."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orq_plugins.rate_limit.headers import Hearing, seconds
from tests.shared import SHARED, needs_shared

TEXT = st.text(alphabet="0123456789.smhd -+eE,:x", max_size=60) | st.text(max_size=20)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("6ms", 0.006),
        ("58s", 58),
        ("1m30s", 90),
        ("8.64s", 8.64),
        ("2h0m1s", 7201),
        ("1d", 86400),
        ("2", 2),
        ("0.5", 0.5),
        (" 7s ", 7),
        ("", None),
        ("soon", None),
        ("-3", None),
        ("1e3", None),
        ("5 s", None),
        ("9" * 50, None),
    ],
)
def test_durations(value: str, expected: float | None):
    assert seconds(value) == (None if expected is None else pytest.approx(expected))


def test_a_time_since_1970():
    assert seconds(str(int(time.time()) + 100)) == pytest.approx(100, abs=2)


@given(st.dictionaries(st.sampled_from(["limit", "remaining", "reset"]), TEXT), TEXT)
def test_nothing_that_a_server_writes_breaks_a_call_or_blocks_it_for_long(
    parts: dict[str, str], reset: str
):
    for suffix in ("", "-requests", "-tokens"):
        headers = {f"x-ratelimit-{name}{suffix}": value for name, value in parts.items()}
        for given_headers in (headers, {**headers, f"x-ratelimit-reset{suffix}": reset}):
            hearing = Hearing()
            hearing.hear(1000.0, given_headers, hearing.send(100))
            assert 0 <= hearing.wait(1000.0, 10**9) <= 600
            assert hearing.wait(1600.1, 10**9) == 0


def test_what_was_sent_meanwhile_is_taken_off():
    hearing = Hearing()
    first, second = hearing.send(10), hearing.send(10)
    hearing.send(10)

    def told(left: int) -> dict[str, str]:
        return {
            "x-ratelimit-limit-requests": "60",
            "x-ratelimit-remaining-requests": str(left),
            "x-ratelimit-reset-requests": "60s",
        }

    hearing.hear(0.0, told(1), second)
    # One is left, and one was sent since: one comes back each second, nearly.
    assert hearing.wait(0.0, 10) == pytest.approx(60 / 59)
    hearing.hear(0.0, told(50), first)
    assert hearing.wait(0.0, 10) > 0


REQUESTS = st.lists(
    st.tuples(st.sampled_from(["answer", "lose", "wait"]), st.integers(1, 9)), max_size=30
)


@given(REQUESTS, st.data())
def test_what_never_arrived_was_never_taken_off(steps: list[tuple[str, int]], data: Any):
    """The figure is the server's, less what may have reached it since."""
    hearing, sent, lost, on_its_way, heard = Hearing(), [], set(), [], -1
    for what, tokens in steps:
        sent.append(tokens)
        on_its_way.append((len(sent) - 1, hearing.send(tokens)))
        if what == "wait":
            continue
        at, mark = on_its_way.pop(data.draw(st.integers(0, len(on_its_way) - 1)))
        if what == "lose":
            lost.add(at)
            hearing.lose(sent[at], mark)
        else:
            names = ("requests", "tokens")
            headers = {f"x-ratelimit-remaining-{name}": "1000" for name in names}
            headers |= {f"x-ratelimit-reset-{name}": "60s" for name in names}
            hearing.hear(0.0, headers, mark)
            heard = max(heard, at)
        if heard >= 0:
            since = [sent[each] for each in range(heard + 1, len(sent)) if each not in lost]
            assert hearing._told["requests"].left == 1000 - len(since)
            assert hearing._told["tokens"].left == 1000 - sum(since)


@needs_shared
def test_recorded_headers_hold_nobody_up():
    """Answers of many providers, none of which was near its limits."""
    seen = 0
    for path in sorted((SHARED / "traffic" / "exchanges").rglob("*.json")):
        for exchange in _exchanges(json.loads(path.read_text("utf-8"))):
            headers = {name.lower(): str(value) for name, value in exchange.items()}
            if not any(name.startswith("x-ratelimit-remaining") for name in headers):
                continue
            seen += 1
            hearing = Hearing()
            hearing.hear(0.0, headers, hearing.send(10))
            assert hearing.wait(0.0, 10) == 0, path.name
    assert seen > 20


def _exchanges(data: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    stack = [data]
    while stack:
        each = stack.pop()
        if isinstance(each, dict):
            headers = each.get("headers")
            if isinstance(headers, dict) and "status" in each and each["status"] == 200:
                found.append(headers)
            stack += each.values()
        elif isinstance(each, list):
            stack += each
    return found
