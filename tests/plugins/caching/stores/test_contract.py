"""What every store does, in both modes; the Redis one on a real server."""

from __future__ import annotations

import secrets
from typing import Any

import pytest

from orq_core._runtime import Asyncio, Blocking
from orq_core.errors import ConfigurationError
from orq_core.testing import Mode
from orq_plugins.caching import MemoryStore, RedisStore, Sealed, SQLiteStore
from orq_plugins.caching.stores.protocol import SECRET

KINDS = ["memory", "sqlite", pytest.param("redis", marks=pytest.mark.real)]


class Clock:
    def __init__(self) -> None:
        self.now = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(params=[False, True], ids=["plain", "sealed"])
def store(request: pytest.FixtureRequest, kind: str, tmp_path: Any) -> Any:
    clock = Clock()
    made: Any
    if kind == "memory":
        made = MemoryStore(clock=clock)
    elif kind == "sqlite":
        made = SQLiteStore(tmp_path / "answers.sqlite3", clock=clock)
    else:
        made = RedisStore(request.getfixturevalue("valkey").url, timeout=5)
    if request.param:
        made = Sealed(made, Sealed.generate_key())
    return made, clock


def run(mode: Mode, store: Any, body: Any) -> Any:
    runtime = Asyncio() if mode.is_async else Blocking()

    async def closing() -> Any:
        try:
            return await body(runtime)
        finally:
            await store.close(runtime)

    return mode.run(closing)


def test_what_is_set_is_got_until_it_is_deleted(mode: Mode, store: Any):
    made, _ = store
    value = secrets.token_bytes(100_000)

    async def body(runtime: Any) -> None:
        assert await made.get(runtime, "a") is None
        await made.set(runtime, "a", value, 60)
        await made.set(runtime, "b", b"", None)
        assert await made.get(runtime, "a") == value
        assert await made.get(runtime, "b") == b""
        await made.set(runtime, "a", b"\x00new", 60)
        assert await made.get(runtime, "a") == b"\x00new"
        await made.delete(runtime, "a")
        await made.delete(runtime, "a")
        assert await made.get(runtime, "a") is None

    run(mode, made, body)


def test_values_are_forgotten(mode: Mode, store: Any, kind: str):
    made, clock = store

    async def body(runtime: Any) -> None:
        await made.set(runtime, "a", b"short", 0.05)
        await made.set(runtime, "b", b"long", 600)
        if kind == "redis":
            await runtime.sleep(0.1)
        clock.now += 0.1
        assert await made.get(runtime, "a") is None
        assert await made.get(runtime, "b") == b"long"

    run(mode, made, body)


def test_leases(mode: Mode, store: Any, kind: str):
    made, clock = store
    shared = kind != "memory"

    async def body(runtime: Any) -> None:
        assert await made.acquire(runtime, "k", "one", 0.2)
        assert await made.acquire(runtime, "k", "one", 0.2)
        assert await made.acquire(runtime, "k", "two", 0.2) is not shared
        assert await made.acquire(runtime, "other", "two", 0.2)
        await made.release(runtime, "k", "two")
        assert await made.acquire(runtime, "k", "two", 0.2) is not shared
        await made.release(runtime, "k", "one")
        assert await made.acquire(runtime, "k", "two", 0.2)
        if kind == "redis":
            await runtime.sleep(0.3)
        clock.now += 0.3
        assert await made.acquire(runtime, "k", "three", 0.2)

    run(mode, made, body)


def test_a_lease_is_prolonged_by_its_owner(mode: Mode, store: Any, kind: str):
    made, clock = store

    async def body(runtime: Any) -> None:
        assert await made.acquire(runtime, "k", "one", 0.1)
        assert await made.acquire(runtime, "k", "one", 60)
        if kind == "redis":
            await runtime.sleep(0.2)
        clock.now += 0.2
        assert await made.acquire(runtime, "k", "two", 60) is (kind == "memory")

    run(mode, made, body)


@pytest.mark.parametrize("ttl", [1e-9, 1e30, float("inf")])
def test_any_time_to_live_will_do(mode: Mode, store: Any, ttl: float):
    made, clock = store

    async def body(runtime: Any) -> None:
        await made.set(runtime, "a", b"value", ttl)
        clock.now += 3600
        if ttl < 1:
            await runtime.sleep(0.02)
        assert await made.get(runtime, "a") == (None if ttl < 1 else b"value")

    run(mode, made, body)


def test_a_closed_store_opens_again(mode: Mode, store: Any):
    made, _ = store

    async def body(runtime: Any) -> None:
        await made.set(runtime, "a", b"kept", None)
        await made.close(runtime)
        await made.close(runtime)
        assert await made.get(runtime, "a") == b"kept"

    run(mode, made, body)


def test_a_store_serves_one_loop_after_the_other(store: Any):
    made, _ = store
    for number in range(3):

        async def body(runtime: Any, number: int = number) -> None:
            found = await made.get(runtime, "a")
            assert found == (None if number == 0 else b"%d" % (number - 1))
            await made.set(runtime, "a", b"%d" % number, None)

        run(Mode("async"), made, body)


def test_no_values_in_reprs(store: Any):
    made, _ = store
    assert "\\x" not in repr(made)
    assert "fake" not in repr(RedisStore("redis://user:fake-password@127.0.0.1:1/0"))


@pytest.mark.parametrize("made", [MemoryStore, SQLiteStore])
@pytest.mark.parametrize("bound", [0, -1, True, 1.5, "1"])
def test_bounds_are_checked(made: Any, bound: Any):
    with pytest.raises(ConfigurationError, match="max_bytes"):
        made(max_bytes=bound)


@pytest.mark.parametrize("key", [b"short", "a" * 32, b"", bytes(33)])
def test_keys_are_checked(key: Any):
    with pytest.raises(ConfigurationError, match="16, 24 or 32"):
        Sealed(MemoryStore(), key)


def test_missing_extras_are_named(monkeypatch: pytest.MonkeyPatch):
    import sys

    monkeypatch.setitem(sys.modules, "redis", None)
    monkeypatch.setitem(sys.modules, "cryptography.exceptions", None)
    with pytest.raises(ConfigurationError, match=r"orq-core\[redis\]"):
        RedisStore()
    with pytest.raises(ConfigurationError, match=r"orq-core\[encryption\]"):
        Sealed(MemoryStore(), bytes(32))


def test_a_memory_store_is_bounded():
    made = MemoryStore(max_bytes=10_000)
    runtime = Blocking()

    async def body() -> None:
        for number in range(100):
            await made.set(runtime, f"k{number}", bytes(700), None)
            assert await made.get(runtime, "k0") is not None or number == 0
        await made.set(runtime, "too large", bytes(10_001), None)
        assert await made.get(runtime, "too large") is None

    Mode("sync").run(body)
    assert made._size <= 10_000
    assert 5 < len(made) < 14


def test_a_file_is_bounded(tmp_path: Any):
    clock = Clock()
    made = SQLiteStore(tmp_path / "a.sqlite3", max_bytes=100_000, clock=clock)
    runtime = Blocking()

    async def body() -> list[int]:
        await made.set(runtime, "first", bytes(10_000), None)
        for number in range(60):
            clock.now += 100
            await made.set(runtime, f"k{number}", bytes(10_000), None)
            assert await made.get(runtime, "first") is not None
        await made.set(runtime, "too large", bytes(200_000), None)
        found = [number for number in range(60) if await made.get(runtime, f"k{number}")]
        await made.close(runtime)
        return found

    assert Mode("sync").run(body) == list(range(52, 60))


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
def test_a_full_store_keeps_the_secret(mode: Mode, kind: str, tmp_path: Any):
    clock = Clock()
    made: Any = MemoryStore(max_bytes=10_000, clock=clock)
    if kind == "sqlite":
        made = SQLiteStore(tmp_path / "a.sqlite3", max_bytes=10_000, clock=clock)

    async def body(runtime: Any) -> list[int]:
        await made.set(runtime, SECRET, b"value", None)
        for number in range(60):
            clock.now += 100
            await made.set(runtime, f"k{number}", bytes(2_000), None)
        await made.set(runtime, "all there is", bytes(9_000), None)
        assert await made.get(runtime, SECRET) == b"value"
        # It takes no room.
        await made.set(runtime, SECRET, bytes(10_000), None)
        assert await made.get(runtime, "all there is") is not None
        await made.delete(runtime, SECRET)
        return [number for number in range(60) if await made.get(runtime, f"k{number}")]

    assert run(mode, made, body) == []


def test_what_is_sealed_can_not_be_read_or_moved(mode: Mode):
    inner = MemoryStore()
    key, older = Sealed.generate_key(), Sealed.generate_key()
    value = b"a canary that sings"

    async def body(runtime: Any) -> None:
        await Sealed(inner, older).set(runtime, "old", value, None)
        current = Sealed(inner, key, previous=[older])
        await current.set(runtime, "a", value, None)
        raw = await inner.get(runtime, "a")
        assert raw is not None
        assert b"canary" not in raw
        assert await current.get(runtime, "old") == value
        assert await Sealed(inner, key).get(runtime, "old") is None
        await inner.set(runtime, "b", raw, None)
        assert await current.get(runtime, "b") is None
        for at in range(len(raw)):
            changed = raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :]
            await inner.set(runtime, "a", changed, None)
            assert await current.get(runtime, "a") is None
        for short in (b"", raw[:4], raw[:20]):
            await inner.set(runtime, "a", short, None)
            assert await current.get(runtime, "a") is None

    run(mode, inner, body)
