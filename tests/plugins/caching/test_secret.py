"""The secret that caches of one store agree on, whatever becomes of the store."""

from __future__ import annotations

from typing import Any

import pytest

from orq_core.testing import Mode, completion, reply
from orq_plugins.caching import Caching, MemoryStore, SQLiteStore
from orq_plugins.caching.stores.protocol import SECRET
from tests.plugins.talk import HELLO, OK, Talk

LONG = reply(completion("answer " * 100))


class Clock:
    def __init__(self) -> None:
        self.now = 1_700_000_000.0

    def __call__(self) -> float:
        self.now += 100
        return self.now


class Flaky(MemoryStore):
    """Fails so many times, and fails again when told to."""

    failures = 0

    async def get(self, runtime: Any, key: str) -> bytes | None:
        self.try_to()
        return await super().get(runtime, key)

    async def set(self, runtime: Any, key: str, value: bytes, ttl: float | None) -> None:
        self.try_to()
        await super().set(runtime, key, value, ttl)

    async def acquire(self, runtime: Any, key: str, owner: str, seconds: float) -> bool:
        self.try_to()
        return await super().acquire(runtime, key, owner, seconds)

    def try_to(self) -> None:
        if self.failures:
            self.failures -= 1
            raise OSError


def asking(number: int) -> dict[str, Any]:
    return {"temperature": 0, "seed": number, "messages": HELLO}


def results(mode: Mode, store: Any, *numbers: int, plugin: Caching | None = None) -> list[str]:
    """Ask in turn, as a process of its own unless a plugin is given."""
    talk = Talk(mode, LONG, plugins=[plugin or Caching(store=store, ttl=1e9)])
    return [answer.note("caching")["result"] for answer in talk.all(*map(asking, numbers))]


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
def test_answers_of_a_full_store_are_found_by_the_next_process(
    mode: Mode, kind: str, tmp_path: Any
):
    store: Any = MemoryStore(20_000)
    if kind == "sqlite":
        store = SQLiteStore(tmp_path / "a.sqlite3", max_bytes=20_000, clock=Clock())
    assert set(results(mode, store, *range(60))) == {"miss"}
    assert results(mode, store, 59, 0) == ["hit", "miss"]


def test_a_secret_that_is_gone_is_stored_with_the_next_answer(mode: Mode):
    store = MemoryStore()
    plugin = Caching(store=store)
    assert results(mode, store, 1, plugin=plugin) == ["miss"]
    store._remove(SECRET)
    assert results(mode, store, 1, plugin=plugin) == ["hit"]
    assert SECRET not in store._values
    assert results(mode, store, 2, plugin=plugin) == ["miss"]
    assert results(mode, store, 1, 2) == ["hit", "hit"]


def test_a_secret_of_others_counts_from_the_next_answer(mode: Mode):
    store = MemoryStore()
    plugin = Caching(store=store)
    assert results(mode, store, 1, plugin=plugin) == ["miss"]
    store._remove(SECRET)
    assert results(mode, store, 3) == ["miss"]
    assert results(mode, store, 2, 3, plugin=plugin) == ["miss", "hit"]


def test_the_secret_is_the_last_that_was_used(mode: Mode):
    store = MemoryStore()
    plugin = Caching(store=store)
    results(mode, store, 1, 2, plugin=plugin)
    assert list(store._values)[-1] == SECRET


def test_a_given_secret_is_not_stored(mode: Mode):
    store = MemoryStore()
    results(mode, store, 1, 2, plugin=Caching(store=store, secret=b"fake-secret"))
    assert SECRET not in store._values


@pytest.mark.parametrize("failures", range(1, 8))
def test_a_store_that_fails_at_first_is_shared_all_the_same(mode: Mode, failures: int):
    store = Flaky()
    first = Caching(store=store)
    assert results(mode, store, 1, plugin=first) == ["miss"]
    secret = store._values[SECRET]
    late = Caching(store=store)
    store.failures = failures
    asked = results(mode, store, 1, 1, 1, plugin=late)
    assert asked[-1] == "hit"
    assert store._values[SECRET] == secret
    assert results(mode, store, 1, plugin=first) == ["hit"]


@pytest.mark.parametrize("failures", range(1, 8))
def test_a_new_store_that_fails_at_first_gets_one_secret(mode: Mode, failures: int):
    store = Flaky()
    store.failures = failures
    results(mode, store, 1, 1, 1, 1)
    assert results(mode, store, 1) == ["hit"]


def test_calls_share_an_answer_although_the_store_is_down(mode: Mode):
    store = Flaky()
    store.failures = 10**9
    plugin = Caching(store=store)
    talk = Talk(mode, OK, plugins=[plugin])
    one, two = talk.all(asking(1), asking(1))
    assert one.note("caching")["key"] == two.note("caching")["key"]
    store.failures = 0
    assert results(mode, store, 1, plugin=plugin) == ["miss"]
    assert results(mode, store, 1) == ["hit"]
