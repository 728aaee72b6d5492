"""Caches that share a store ask once: whoever has no lease waits for the answer of who has."""

from __future__ import annotations

from typing import Any

from orq_core import Timeout
from orq_core.testing import Mode
from orq_plugins.caching import Caching, MemoryStore
from tests.plugins.talk import OK, Talk

ASK = {"temperature": 0}
SECRET = b"fake-secret"


class Shared(MemoryStore):
    """A store whose leases somebody else holds, until he lets go or has stored an answer."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = 0
        self.lets_go_after = 10**9
        self.stores_after = 10**9
        self.answer: tuple[str, bytes] | None = None
        self.owners: list[tuple[str, str]] = []

    async def acquire(self, runtime: Any, key: str, owner: str, seconds: float) -> bool:
        self.asked += 1
        if self.asked == self.stores_after and self.answer is not None:
            await self.set(runtime, *self.answer, None)
        granted = self.asked > self.lets_go_after
        if granted:
            self.owners.append((key, owner))
        return granted

    async def release(self, runtime: Any, key: str, owner: str) -> None:
        if (key, owner) in self.owners:
            self.owners.remove((key, owner))


def entry_of(mode: Mode) -> tuple[str, bytes]:
    """Return what a cache stores for the answer."""
    store = MemoryStore()
    Talk(mode, OK, plugins=[Caching(store=store, secret=SECRET)]).one(**ASK)
    ((key, (value, _)),) = store._values.items()
    return key, value


def test_the_answer_of_another_process(mode: Mode):
    store = Shared()
    store.answer, store.stores_after = entry_of(mode), 3
    talk = Talk(mode, OK, plugins=[Caching(store=store, secret=SECRET)])
    answer = talk.one(**ASK)
    assert answer.text == "hi there"
    assert talk.sent == 0
    assert answer.info.attempts == ()


def test_a_lease_that_is_given_back(mode: Mode):
    store = Shared()
    store.lets_go_after = 2
    talk = Talk(mode, OK, plugins=[Caching(store=store, secret=SECRET)])
    assert talk.one(**ASK).text == "hi there"
    assert talk.sent == 1
    assert store.owners == []


def test_nobody_is_waited_for_longer_than_a_lease(mode: Mode):
    store = Shared()
    talk = Talk(mode, OK, plugins=[Caching(store=store, secret=SECRET, lease=0.1)])
    assert talk.one(**ASK).text == "hi there"
    assert talk.sent == 1


def test_a_deadline_holds_while_waiting(mode: Mode):
    store = Shared()
    talk = Talk(mode, OK, plugins=[Caching(store=store, secret=SECRET)], timeout=Timeout(total=0.1))
    answer = talk.one(**ASK)
    assert isinstance(answer.error, TimeoutError)
    assert answer.error.kind == "total"
    assert talk.sent == 0


def test_a_secret_that_another_process_is_making(mode: Mode):
    class Slow(Shared):
        async def acquire(self, runtime: Any, key: str, owner: str, seconds: float) -> bool:
            if key == "orq-secret" and self.asked == 2:
                await self.set(runtime, key, SECRET, None)
            return await super().acquire(runtime, key, owner, seconds)

    store = Slow()
    store.lets_go_after = 4
    talk = Talk(mode, OK, plugins=[Caching(store=store)])
    assert talk.one(**ASK).text == "hi there"
    assert entry_of(mode)[0] in store._values
