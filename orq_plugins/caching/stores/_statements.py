"""What the SQLite store asks of its file."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing, contextmanager, suppress
from typing import TYPE_CHECKING

from orq_plugins.caching.stores.protocol import SECRET

if TYPE_CHECKING:
    from collections.abc import Generator

_VERSION = 1

# A value stands last, so that the rest of its row is read without it.
_SCHEMA = (
    (
        "CREATE TABLE answers (key TEXT PRIMARY KEY, size INTEGER NOT NULL, until REAL,"
        " used REAL NOT NULL, value BLOB NOT NULL)"
    ),
    "CREATE INDEX answers_used ON answers (used)",
    "CREATE INDEX answers_until ON answers (until) WHERE until IS NOT NULL",
    "CREATE TABLE leases (key TEXT PRIMARY KEY, owner TEXT NOT NULL, until REAL NOT NULL)",
    "CREATE TABLE total (one INTEGER PRIMARY KEY CHECK (one = 1), bytes INTEGER NOT NULL)",
    "INSERT INTO total VALUES (1, 0)",
    (
        "CREATE TRIGGER answers_in AFTER INSERT ON answers"
        " BEGIN UPDATE total SET bytes = bytes + new.size; END"
    ),
    (
        "CREATE TRIGGER answers_out AFTER DELETE ON answers"
        " BEGIN UPDATE total SET bytes = bytes - old.size; END"
    ),
    f"PRAGMA user_version = {_VERSION}",
)
_DAMAGED = ("malformed", "not a database", "disk image")
_LOG_BYTES = 16 * 2**20  # to which the write-ahead log shrinks after something large
_TOUCH = 60.0  # seconds within which the time of an entry's use is not written again
_PAUSE = 0.005  # seconds between two attempts to change the mode
_OUTDATED = 100  # expired entries that one write removes


def is_damage(error: sqlite3.DatabaseError) -> bool:
    """Tell whether an error means that the file is no sound database."""
    return any(word in str(error) for word in _DAMAGED)


def prepare(connection: sqlite3.Connection, seconds: float) -> None:
    """Make the tables, unless they are there; wait so many seconds for who does the same.

    Raises `sqlite3.NotSupportedError` for a database that something else made.
    """
    if _version(connection) != _VERSION:
        with _writing(connection):
            if _version(connection) != _VERSION:
                _make(connection)
    _use_write_ahead_log(connection, time.monotonic() + seconds)
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute(f"PRAGMA journal_size_limit = {_LOG_BYTES}")


def _use_write_ahead_log(connection: sqlite3.Connection, latest: float) -> None:
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError:
            # SQLite does not wait by itself for a change of mode.
            if time.monotonic() >= latest:
                raise
            time.sleep(_PAUSE)
        else:
            return


def _make(connection: sqlite3.Connection) -> None:
    if _version(connection) or connection.execute("SELECT 1 FROM sqlite_master").fetchone():
        raise sqlite3.NotSupportedError("the file holds tables that are not this store's")
    for statement in _SCHEMA:
        connection.execute(statement)


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def read(connection: sqlite3.Connection, key: str, now: float) -> bytes | None:
    """Return a value whose time is not over, and note that it was used."""
    found = connection.execute(
        "SELECT value, until, used FROM answers WHERE key = ?", (key,)
    ).fetchone()
    if found is None:
        return None
    value, until, used = found
    if until is not None and until <= now:
        return None
    if used < now - _TOUCH:
        # Not worth failing for when somebody else keeps writing.
        with suppress(sqlite3.OperationalError):
            connection.execute("UPDATE answers SET used = ? WHERE key = ?", (now, key))
    return value if isinstance(value, bytes) else None


def look(connection: sqlite3.Connection, key: str, now: float) -> bytes | None:
    """Return a value whose time is not over, and leave no trace."""
    value = connection.execute(
        "SELECT value FROM answers WHERE key = ? AND (until IS NULL OR until > ?)", (key, now)
    ).fetchone()
    return value[0] if value is not None and isinstance(value[0], bytes) else None


def write(
    connection: sqlite3.Connection,
    key: str,
    value: bytes,
    until: float | None,
    now: float,
    max_bytes: int,
) -> None:
    """Keep a value, and forget others until all fit."""
    size = 0 if key == SECRET else len(key) + len(value)
    with _writing(connection):
        connection.execute("DELETE FROM answers WHERE key = ?", (key,))
        connection.execute(
            "DELETE FROM answers WHERE key IN (SELECT key FROM answers WHERE until <= ? LIMIT ?)",
            (now, _OUTDATED),
        )
        if size <= max_bytes:
            connection.execute(
                "INSERT INTO answers (key, size, until, used, value) VALUES (?, ?, ?, ?, ?)",
                (key, size, until, now, value),
            )
            _make_room(connection, key, max_bytes)


def _make_room(connection: sqlite3.Connection, key: str, max_bytes: int) -> None:
    excess = connection.execute("SELECT bytes FROM total").fetchone()[0] - max_bytes
    if excess <= 0:
        return
    gone: list[tuple[str]] = []
    oldest = connection.execute(
        "SELECT key, size FROM answers WHERE key NOT IN (?, ?) ORDER BY used", (key, SECRET)
    )
    with closing(oldest):
        for other, size in oldest:
            gone.append((other,))
            excess -= size
            if excess <= 0:
                break
    connection.executemany("DELETE FROM answers WHERE key = ?", gone)


def delete(connection: sqlite3.Connection, key: str) -> None:
    """Forget a value."""
    with _writing(connection):
        connection.execute("DELETE FROM answers WHERE key = ?", (key,))


def acquire(
    connection: sqlite3.Connection, key: str, owner: str, now: float, seconds: float
) -> bool:
    """Take or prolong a lease, and forget those that are over."""
    with _writing(connection):
        connection.execute("DELETE FROM leases WHERE until <= ?", (now,))
        connection.execute(
            "INSERT INTO leases (key, owner, until) VALUES (?, ?, ?) ON CONFLICT (key)"
            " DO UPDATE SET until = excluded.until WHERE owner = excluded.owner",
            (key, owner, now + seconds),
        )
        holder = connection.execute("SELECT owner FROM leases WHERE key = ?", (key,)).fetchone()
    return bool(holder[0] == owner)


def release(connection: sqlite3.Connection, key: str, owner: str) -> None:
    """Give a lease back, if it is the owner's."""
    with _writing(connection):
        connection.execute("DELETE FROM leases WHERE key = ? AND owner = ?", (key, owner))


@contextmanager
def _writing(connection: sqlite3.Connection) -> Generator[None, None, None]:
    """Open a transaction that has the write lock from its beginning, where it can be waited for.

    However it is left, it does not stay open: others would wait for it for ever.
    """
    try:
        connection.execute("BEGIN IMMEDIATE")
        yield
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
