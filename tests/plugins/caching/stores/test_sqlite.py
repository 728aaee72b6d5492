"""The file of a SQLite store: damage, bounds, full disks, and others who use it."""

from __future__ import annotations

import logging
import os
import random
import sqlite3
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from orq_core import ConfigurationError
from orq_core._runtime import Blocking, drive
from orq_plugins.caching import Sealed, SQLiteStore
from orq_plugins.caching.stores.sqlite import default_path

RUNTIME = Blocking()
VALUE = b"\x5a" * 3000


class Clock:
    now = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "answers.sqlite3"


@pytest.fixture
def store(path: Path) -> Iterator[SQLiteStore]:
    made = SQLiteStore(path)
    yield made
    drive(made.close(RUNTIME))


def get(store: Any, key: str) -> Any:
    return drive(store.get(RUNTIME, key))


def put(store: Any, key: str, value: bytes = VALUE, ttl: float | None = None) -> None:
    drive(store.set(RUNTIME, key, value, ttl))


def fill(store: Any, count: int = 40) -> None:
    for number in range(count):
        put(store, f"k{number}")


def spoil(path: Path) -> None:
    """Overwrite all but the head."""
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(os.urandom(size - 4096))


def test_a_file_that_is_no_database_is_set_aside(
    store: SQLiteStore, path: Path, caplog: pytest.LogCaptureFixture
):
    path.write_bytes(b"this is no database at all, but something else " * 100)
    with caplog.at_level(logging.WARNING, "orq"):
        put(store, "a")
    assert get(store, "a") == VALUE
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    aside = path.with_name("answers.sqlite3.damaged")
    assert aside.read_bytes().startswith(b"this is no database")


def test_a_file_is_set_aside_once(store: SQLiteStore, path: Path, caplog: pytest.LogCaptureFixture):
    for _ in range(2):
        fill(store)
        drive(store.close(RUNTIME))
        spoil(path)
        if not caplog.records:
            assert get(store, "k1") is None
    with pytest.raises(sqlite3.DatabaseError):
        fill(store)
    assert len(caplog.records) == 1


def test_who_finds_the_damage_last_joins_the_new_file(store: SQLiteStore, path: Path):
    other = SQLiteStore(path)
    fill(store)
    assert get(other, "k1") == VALUE
    drive(store.close(RUNTIME))
    assert get(other, "k2") == VALUE
    other._connection().execute("PRAGMA wal_checkpoint(TRUNCATE)")
    spoil(path)
    put(store, "from one")
    put(other, "from the other")
    assert get(store, "from the other") == get(other, "from one") == VALUE
    drive(other.close(RUNTIME))


def test_a_deleted_file_is_begun_anew(store: SQLiteStore, path: Path):
    put(store, "a")
    path.unlink()
    assert get(store, "a") is None
    put(store, "b")
    other = SQLiteStore(path)
    assert get(other, "b") == VALUE
    drive(other.close(RUNTIME))


def test_damage_never_passes_for_an_answer(tmp_path: Path):
    rng = random.Random(7)
    key = Sealed.generate_key()
    wrong, lost = [], 0
    for trial in range(10):
        path = tmp_path / f"{trial}.sqlite3"
        store = Sealed(SQLiteStore(path), key)
        for number in range(20):
            put(store, f"k{number}", b"%d" % number * 1500)
        drive(store.close(RUNTIME))
        data = bytearray(path.read_bytes())
        for _ in range(5):
            at = rng.randrange(len(data) - 100)
            data[at : at + 100] = rng.randbytes(100)
        path.write_bytes(data)
        store = Sealed(SQLiteStore(path), key)
        for number in range(20):
            try:
                found = get(store, f"k{number}")
                put(store, f"n{number}")
            except sqlite3.Error:
                found = None
            lost += found is None
            if found not in {None, b"%d" % number * 1500}:
                wrong.append((trial, number))
        drive(store.close(RUNTIME))
    assert wrong == []
    assert lost > 0


def test_the_file_of_something_else_is_left_alone(store: SQLiteStore, path: Path):
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE customers (name TEXT)")
    connection.commit()
    connection.close()
    before = path.read_bytes()
    for _ in range(2):
        with pytest.raises(sqlite3.NotSupportedError, match="not this store's"):
            put(store, "a")
    assert path.read_bytes() == before
    assert [each.name for each in path.parent.iterdir()] == [path.name]


def test_the_file_of_another_version_is_left_alone(store: SQLiteStore, path: Path):
    put(store, "a")
    store._connection().execute("PRAGMA user_version = 999")
    drive(store.close(RUNTIME))
    with pytest.raises(sqlite3.NotSupportedError):
        get(store, "a")


def test_a_full_disk_is_got_over(store: SQLiteStore):
    put(store, "a")
    store._connection().execute("PRAGMA max_page_count = 30")
    for _ in range(3):
        with pytest.raises(sqlite3.OperationalError, match="full"):
            put(store, "large", bytes(200_000))
    assert get(store, "a") == VALUE
    assert get(store, "large") is None
    store._connection().execute("PRAGMA max_page_count = 100000")
    put(store, "large", bytes(200_000))
    assert get(store, "large") == bytes(200_000)


def test_no_more_is_forgotten_than_needed(path: Path):
    clock = Clock()
    store = SQLiteStore(path, max_bytes=1_000_000, clock=clock)
    for number in range(9):
        clock.now += 100
        put(store, f"k{number}", bytes(100_000))
    clock.now += 100
    assert get(store, "k0") is not None
    put(store, "large", bytes(250_000))
    assert [number for number in range(9) if get(store, f"k{number}")] == [0, 3, 4, 5, 6, 7, 8]
    drive(store.close(RUNTIME))


def test_a_smaller_bound_holds_from_the_next_write(store: SQLiteStore, path: Path):
    fill(store)
    smaller = SQLiteStore(path, max_bytes=20_000)
    put(smaller, "new")
    assert get(smaller, "new") == VALUE
    kept = smaller._connection().execute("SELECT sum(size) FROM answers").fetchone()[0]
    assert kept == smaller._connection().execute("SELECT bytes FROM total").fetchone()[0]
    assert 15_000 < kept <= 20_000
    drive(smaller.close(RUNTIME))


def test_what_is_too_large_replaces_what_was(path: Path):
    store = SQLiteStore(path, max_bytes=10_000)
    put(store, "a", b"old")
    put(store, "a", bytes(10_001))
    assert get(store, "a") is None
    drive(store.close(RUNTIME))


def test_a_file_does_not_grow_for_ever(path: Path):
    store = SQLiteStore(path, max_bytes=2_000_000)
    for number in range(400):
        put(store, f"k{number}", os.urandom(20_000))
    drive(store.close(RUNTIME))
    assert sum(each.stat().st_size for each in path.parent.iterdir()) < 3_000_000


def test_what_is_out_of_date_leaves_the_file(path: Path):
    clock = Clock()
    store = SQLiteStore(path, clock=clock)
    for number in range(150):
        put(store, f"k{number}", b"x", 10)
    assert drive(store.acquire(RUNTIME, "k", "one", 10))
    clock.now += 11
    for number in range(2):
        put(store, f"new{number}", b"x", 10)
    assert drive(store.acquire(RUNTIME, "other", "one", 10))
    connection = store._connection()
    assert connection.execute("SELECT count(*) FROM answers").fetchone() == (2,)
    assert connection.execute("SELECT count(*) FROM leases").fetchone() == (1,)
    drive(store.close(RUNTIME))


def test_a_writer_that_takes_long_is_not_waited_for(path: Path):
    store = SQLiteStore(path, busy_timeout=0.1)
    put(store, "a")
    writer = sqlite3.connect(path, isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")
    began = time.monotonic()
    with pytest.raises(sqlite3.OperationalError, match="locked"):
        put(store, "b")
    assert time.monotonic() - began < 2
    assert get(store, "a") == VALUE
    opened_now = SQLiteStore(path, busy_timeout=0.1)
    assert get(opened_now, "a") == VALUE
    writer.execute("ROLLBACK")
    writer.close()
    put(store, "b")
    for each in (store, opened_now):
        drive(each.close(RUNTIME))


def test_a_change_of_mode_is_waited_for_but_not_for_long(store: SQLiteStore, path: Path):
    put(store, "a")
    store._connection().execute("PRAGMA journal_mode = DELETE")
    drive(store.close(RUNTIME))
    reader = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    reader.execute("BEGIN")
    reader.execute("SELECT * FROM total").fetchone()
    impatient = SQLiteStore(path, busy_timeout=0.05)
    with pytest.raises(sqlite3.OperationalError, match="locked"):
        get(impatient, "a")
    patient = SQLiteStore(path, busy_timeout=20)
    done = threading.Timer(0.1, reader.execute, ("ROLLBACK",))
    done.start()
    assert get(patient, "a") == get(impatient, "a") == VALUE
    done.join()
    reader.close()
    for each in (patient, impatient):
        drive(each.close(RUNTIME))


def test_a_thread_that_takes_long_is_not_waited_for(path: Path):
    store = SQLiteStore(path, busy_timeout=0.1)
    put(store, "a")
    held, done = threading.Event(), threading.Event()

    def hold() -> None:
        with store._lock:
            held.set()
            done.wait(20)

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait(20)
    try:
        with pytest.raises(TimeoutError, match="busy"):
            get(store, "a")
    finally:
        done.set()
        thread.join()
    assert get(store, "a") == VALUE
    drive(store.close(RUNTIME))


def test_nothing_begins_within_an_operation(store: SQLiteStore):
    """The collector may end a call, which asks the store, in the midst of another's write."""
    inner: list[BaseException] = []

    def act(connection: sqlite3.Connection) -> str:
        for ask in (store.get(RUNTIME, "a"), store.close(RUNTIME)):
            with pytest.raises(TimeoutError, match="midst") as refused:
                drive(ask)
            inner.append(refused.value)
        return "done"

    assert store._do(act) == "done"
    assert len(inner) == 2
    put(store, "a")
    assert get(store, "a") == VALUE


def test_many_open_a_new_file_at_once(path: Path):
    stores = [SQLiteStore(path, busy_timeout=20) for _ in range(8)]
    start = threading.Barrier(len(stores))
    failures: list[BaseException] = []

    def work(store: SQLiteStore, name: str) -> None:
        try:
            start.wait(20)
            put(store, name)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(s, f"k{n}")) for n, s in enumerate(stores)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failures == []
    assert [get(stores[0], f"k{number}") for number in range(8)] == [VALUE] * 8
    for store in stores:
        drive(store.close(RUNTIME))


@pytest.mark.parametrize("named", ["", ":memory:"])
def test_a_path_is_a_file(named: str):
    with pytest.raises(ConfigurationError, match="path"):
        SQLiteStore(named)


def test_the_usual_place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    for ignored in ("", "relative/folder"):
        monkeypatch.setenv("XDG_CACHE_HOME", ignored)
        assert default_path() == tmp_path / ".cache" / "orq-core" / "answers.sqlite3"

    def homeless() -> Path:
        raise RuntimeError

    monkeypatch.setattr(Path, "home", homeless)
    with pytest.raises(ConfigurationError, match="path"):
        SQLiteStore()
