"""An outage is not amplified."""

from __future__ import annotations

import contextlib
import threading
from typing import Any

from orq_core import InternalServerError, hookimpl
from orq_core.testing import Mode, reply
from orq_plugins.retries import Retries
from orq_plugins.retries.budget import Budget
from tests.plugins.retries.scene import HELLO, OK, Scene

DOWN = reply(status=503)


def test_an_outage_ends_the_repeats(mode: Mode) -> None:
    scene = Scene(mode, DOWN)

    async def body() -> None:
        async with mode.client(**scene.arguments) as client:
            client._core.runtime = scene.runtime
            counts = []
            for _ in range(30):
                before = scene.sent
                try:
                    await mode.create(client, messages=HELLO, model="fake/model")
                except InternalServerError as error:
                    assert len(error.attempts) == scene.sent - before
                counts.append(scene.sent - before)
            assert counts[:5] == [3] * 5
            assert counts[5] == 1
            assert sum(counts) == 30 + 12  # 10 to begin with, 2 earned by 20 calls or more
            before = scene.sent
            for other in ({"model": "fake/other"}, {"server_url": "https://b.example.test"}):
                with contextlib.suppress(InternalServerError):
                    await mode.create(client, **{"messages": HELLO, "model": "fake/model", **other})
            assert scene.sent == before + 6

    mode.run(body)


def test_a_budget_of_nothing_and_none(mode: Mode) -> None:
    for budget, sent in ((0, 1), (1, 2), (None, 6)):
        plugin = Retries(budget=budget, policy=5)
        scene = Scene(mode, DOWN, plugin=plugin)
        scene.fails()
        assert scene.sent == sent


def test_the_note_says_why(mode: Mode) -> None:
    notes: list[Any] = []
    plugin = Retries(budget=0)

    class Reader:
        @hookimpl
        def orq_wrap_create(self, call: Any) -> None:
            notes.append(call.info.notes)

    scene = Scene(mode, DOWN, plugins=[plugin, Reader()])
    scene.fails()
    assert notes[0]["retries"] == {"repeats": 0, "waited": 0.0, "pauses": (), "gave_up": "budget"}
    assert Scene(mode, OK).create().info.notes == {}


def test_tokens_are_earned_by_the_tenth() -> None:
    budget = Budget(1, 0.1)
    assert budget.spend("a")
    for _ in range(9):
        budget.earn("a")
    assert not budget.spend("a")
    budget.earn("a")
    assert budget.spend("a")
    assert budget.spend("b")
    for _ in range(100):
        budget.earn("a")
    assert budget.spend("a")
    assert not budget.spend("a")


def test_threads_share_it() -> None:
    budget = Budget(1000, 0)
    spent: list[int] = []

    def spend() -> None:
        spent.append(sum(budget.spend("a") for _ in range(500)))

    threads = [threading.Thread(target=spend) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(spent) == 1000


def test_it_remembers_a_bounded_number() -> None:
    budget = Budget(1, 0.1)
    assert budget.spend("first")
    for number in range(1023):
        budget.earn(number)
    assert not budget.spend("first")
    budget.earn("one more")
    assert len(budget._tokens) == 1024
    assert budget.spend("first")  # the longest unseen was forgotten, and begins anew
