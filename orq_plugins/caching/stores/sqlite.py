"""A store in a file, shared by the processes of one machine."""

from __future__ import annotations

import logging
import os
import sqlite3
import sys
import threading
import time
import weakref
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from orq_plugins.caching.stores._bounds import checked_bytes, checked_seconds

if TYPE_CHECKING:
    from collections.abc import Callable

    from orq_core import Runtime

T = TypeVar("T")

_log = logging.getLogger("orq")

_SCHEMA = """
CREATE TABLE IF NOT EXISTS answers (
    key TEXT PRIMARY KEY, value BLOB NOT NULL, until REAL, used REAL NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS answers_used ON answers (used);
CREATE TABLE IF NOT EXISTS leases (
    key TEXT PRIMARY KEY, owner TEXT NOT NULL, until REAL NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS total (one INTEGER PRIMARY KEY CHECK (one = 1), bytes INTEGER NOT NULL);
INSERT OR IGNORE INTO total VALUES (1, 0);
CREATE TRIGGER IF NOT EXISTS answers_in AFTER INSERT ON answers
    BEGIN UPDATE total SET bytes = bytes + length(new.key) + length(new.value); END;
CREATE TRIGGER IF NOT EXISTS answers_out AFTER DELETE ON answers
    BEGIN UPDATE total SET bytes = bytes - length(old.key) - length(old.value); END;
"""
_DAMAGED = ("malformed", "not a database", "disk image")
_TOUCH = 60.0  # seconds within which the time of an entry's use is not written again


def default_path() -> Path:
    """Return where answers are kept unless told otherwise: the user's folder for caches."""
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "orq-core" / "answers.sqlite3"


class SQLiteStore:
    """Keeps up to ``max_bytes`` in a file that survives the process; others may share it.

    ``path``: the file, made with access for its owner only; default `default_path`.
    ``busy_timeout``: seconds to wait for another process that writes. ``clock``: seconds since
    1970. What was used least recently goes first.

    A file that is damaged is set aside under another name, with a warning, and a new one begun.
    Usable from any thread and after a fork.
    """

    def __init__(
        self,
        path: str | os.PathLike[str] | None = None,
        *,
        max_bytes: int = 256 * 2**20,
        busy_timeout: float = 0.25,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Note the settings; the file is opened by the first call."""
        self.path = default_path() if path is None else Path(path)
        self._max_bytes = checked_bytes(max_bytes)
        self._busy_timeout = checked_seconds("busy_timeout", busy_timeout)
        self._clock = clock
        self._lock = threading.Lock()
        self._opened: sqlite3.Connection | None = None
        self._closing: weakref.finalize[..., Any] | None = None
        self._pid = os.getpid()
        self._inherited: list[object] = []

    def __repr__(self) -> str:
        return f"<SQLiteStore {self.path.name}>"

    async def get(self, runtime: Runtime, key: str) -> bytes | None:
        """See `Store`."""
        return await runtime.run(self._do, _get, key, self._clock())

    async def set(self, runtime: Runtime, key: str, value: bytes, ttl: float | None) -> None:
        """See `Store`; a value larger than the whole store is not kept."""
        now = self._clock()
        until = None if ttl is None else now + ttl
        await runtime.run(self._do, _set, key, value, until, now, self._max_bytes)

    async def delete(self, runtime: Runtime, key: str) -> None:
        """See `Store`."""
        await runtime.run(self._do, _delete, key)

    async def acquire(self, runtime: Runtime, key: str, owner: str, seconds: float) -> bool:
        """See `Store`."""
        return await runtime.run(self._do, _acquire, key, owner, self._clock(), seconds)

    async def release(self, runtime: Runtime, key: str, owner: str) -> None:
        """See `Store`."""
        await runtime.run(self._do, _release, key, owner)

    async def close(self, runtime: Runtime) -> None:
        """See `Store`."""
        await runtime.run(self._close)

    def _do(self, act: Callable[..., T], *args: Any) -> T:
        with self._lock:
            try:
                return act(self._connection(), *args)
            except sqlite3.DatabaseError as error:
                if not any(word in str(error) for word in _DAMAGED):
                    raise
                self._set_aside()
            return act(self._connection(), *args)

    def _connection(self) -> sqlite3.Connection:
        if self._pid != os.getpid():
            # Kept and never used again: closing it here would drop the parent's locks.
            self._inherited.append((self._opened, self._closing))
            if self._closing is not None:
                self._closing.detach()
            self._opened, self._pid = None, os.getpid()
        if self._opened is None:
            self._opened = self._open()
            self._closing = weakref.finalize(self, self._opened.close)
        return self._opened

    def _open(self) -> sqlite3.Connection:
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with suppress(FileExistsError):
            os.close(os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        connection = sqlite3.connect(
            self.path,
            timeout=self._busy_timeout,
            isolation_level=None,
            check_same_thread=False,
        )
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.executescript(f"BEGIN IMMEDIATE; {_SCHEMA} COMMIT;")
        except sqlite3.Error:
            connection.close()
            raise
        return connection

    def _set_aside(self) -> None:
        self._release_file()
        aside = self.path.with_name(f"{self.path.name}.damaged-{int(self._clock())}")
        _log.warning("the cache's file %s is damaged; it is kept as %s", self.path.name, aside.name)
        with suppress(FileNotFoundError):
            self.path.replace(aside)
        for suffix in ("-wal", "-shm"):
            self.path.with_name(self.path.name + suffix).unlink(missing_ok=True)

    def _close(self) -> None:
        with self._lock:
            if self._pid == os.getpid():
                self._release_file()

    def _release_file(self) -> None:
        if self._closing is not None:
            self._closing()
        self._opened = self._closing = None


def _get(connection: sqlite3.Connection, key: str, now: float) -> bytes | None:
    found = connection.execute(
        "SELECT value, until, used FROM answers WHERE key = ?", (key,)
    ).fetchone()
    if found is None:
        return None
    value, until, used = found
    if until is not None and until <= now:
        return None
    if used < now - _TOUCH:
        # Whoever writes at the moment has better to do than to wait for this.
        with suppress(sqlite3.OperationalError):
            connection.execute("UPDATE answers SET used = ? WHERE key = ?", (now, key))
    return bytes(value)


def _set(
    connection: sqlite3.Connection,
    key: str,
    value: bytes,
    until: float | None,
    now: float,
    max_bytes: int,
) -> None:
    if len(key) + len(value) > max_bytes:
        return
    with _Writing(connection):
        connection.execute("DELETE FROM answers WHERE key = ?", (key,))
        connection.execute("INSERT INTO answers VALUES (?, ?, ?, ?)", (key, value, until, now))
        if _total(connection) > max_bytes:
            connection.execute("DELETE FROM answers WHERE until <= ?", (now,))
        while (excess := _total(connection) - max_bytes) > 0:
            # A few at a time: their sizes are not known beforehand.
            connection.execute(
                "DELETE FROM answers WHERE key IN (SELECT key FROM answers WHERE key != ?"
                " ORDER BY used LIMIT ?)",
                (key, max(1, excess // 65536)),
            )


def _total(connection: sqlite3.Connection) -> int:
    return int(connection.execute("SELECT bytes FROM total").fetchone()[0])


def _delete(connection: sqlite3.Connection, key: str) -> None:
    with _Writing(connection):
        connection.execute("DELETE FROM answers WHERE key = ?", (key,))


def _acquire(
    connection: sqlite3.Connection, key: str, owner: str, now: float, seconds: float
) -> bool:
    with _Writing(connection):
        connection.execute(
            "INSERT INTO leases VALUES (?, ?, ?) ON CONFLICT (key) DO UPDATE"
            " SET owner = excluded.owner, until = excluded.until"
            " WHERE until <= ? OR owner = excluded.owner",
            (key, owner, now + seconds, now),
        )
        holder = connection.execute("SELECT owner FROM leases WHERE key = ?", (key,)).fetchone()
    return bool(holder[0] == owner)


def _release(connection: sqlite3.Connection, key: str, owner: str) -> None:
    with _Writing(connection):
        connection.execute("DELETE FROM leases WHERE key = ? AND owner = ?", (key, owner))


class _Writing:
    """A transaction that takes the write lock at its beginning, where it can be waited for."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def __enter__(self) -> None:
        self._connection.execute("BEGIN IMMEDIATE")

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._connection.execute("COMMIT" if kind is None else "ROLLBACK")
