"""A store in a file, shared by the processes of one machine."""

from __future__ import annotations

import logging
import os
import sqlite3
import sys
import time
import weakref
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from orq_core import ConfigurationError
from orq_plugins.caching.stores import _statements as statements
from orq_plugins.caching.stores._bounds import checked_bytes, checked_seconds
from orq_plugins.caching.stores._forks import close_before_forks
from orq_plugins.caching.stores._turn import Turn

if TYPE_CHECKING:
    from collections.abc import Callable

    from orq_core import Runtime

T = TypeVar("T")

_log = logging.getLogger("orq")

# Connections that were in use at a fork. In the child they are kept and not touched: they are the
# parent's.
_inherited: list[object] = []


def default_path() -> Path:
    """Return where answers are kept unless told otherwise: the user's folder for caches."""
    try:
        return _caches() / "orq-core" / "answers.sqlite3"
    except RuntimeError:
        raise ConfigurationError("path: this user has no home folder; pass path=") from None


def _caches() -> Path:
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches"
    named = os.environ.get("XDG_CACHE_HOME", "")
    # The specification of base directories has relative ones ignored.
    return Path(named) if Path(named).is_absolute() else Path.home() / ".cache"


class SQLiteStore:
    """Keeps up to ``max_bytes`` in a file that survives the process; others may share it.

    ``path``: the file, made with access for its owner only; default `default_path`.
    ``busy_timeout``: seconds to wait for another process that writes, and for other threads.
    ``clock``: seconds since 1970. What was used least recently goes first, but never the
    secret that keys the others. A value larger than the whole store is not kept.

    The first time that the file is found damaged it is set aside, as ``….damaged`` and with a
    warning, and a new one begun. Usable from any thread and after a fork. Not for network drives:
    write-ahead logging needs shared memory. A file of something else's is left alone: every
    operation raises `sqlite3.NotSupportedError`.

    Raises ConfigurationError for an argument that can't be used.
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
        if path is not None and os.fspath(path) in {"", ":memory:"}:
            raise ConfigurationError("path: expected a file; MemoryStore keeps answers in memory")
        self.path = default_path() if path is None else Path(path)
        self._max_bytes = checked_bytes(max_bytes)
        self._busy_timeout = checked_seconds("busy_timeout", busy_timeout)
        self._clock = clock
        self._lock = Turn()
        self._opened: sqlite3.Connection | None = None
        self._closing: weakref.finalize[..., Any] | None = None
        self._file: tuple[int, int] | None = None
        self._has_set_aside = False
        self._pid = os.getpid()
        close_before_forks(self)

    def __repr__(self) -> str:
        return f"<SQLiteStore {self.path.name}>"

    async def get(self, runtime: Runtime, key: str) -> bytes | None:
        """See `Store`."""
        return await runtime.run(self._do, statements.read, key, self._clock())

    async def peek(self, runtime: Runtime, key: str) -> bytes | None:
        """See `Store`; the file is read if it is there."""
        return await runtime.run(self._peek, key)

    async def set(self, runtime: Runtime, key: str, value: bytes, ttl: float | None) -> None:
        """See `Store`."""
        now = self._clock()
        until = None if ttl is None else now + ttl
        await runtime.run(self._do, statements.write, key, value, until, now, self._max_bytes)

    async def delete(self, runtime: Runtime, key: str) -> None:
        """See `Store`."""
        await runtime.run(self._do, statements.delete, key)

    async def acquire(self, runtime: Runtime, key: str, owner: str, seconds: float) -> bool:
        """See `Store`."""
        return await runtime.run(self._do, statements.acquire, key, owner, self._clock(), seconds)

    async def release(self, runtime: Runtime, key: str, owner: str) -> None:
        """See `Store`."""
        await runtime.run(self._do, statements.release, key, owner)

    async def close(self, runtime: Runtime) -> None:
        """See `Store`."""
        await runtime.run(self._close)

    def before_fork(self) -> bool:
        """Close the file: SQLite keeps account of its locks by process.

        In a child that inherits a connection every other one to the same file would believe to
        hold locks that only the parent holds, and lose what it writes.
        """
        try:
            self._lock.take(self._busy_timeout)
        except TimeoutError:
            return False
        self._let_go()
        return True

    def after_fork(self) -> None:
        """Go on in the parent."""
        self._lock.leave()

    def _do(self, act: Callable[..., T], *args: Any) -> T:
        with self._lock.taken(self._busy_timeout):
            try:
                return act(self._connection(), *args)
            except sqlite3.DatabaseError as error:
                if not (statements.is_damage(error) and self._set_aside()):
                    raise
            return act(self._connection(), *args)

    def _peek(self, key: str) -> bytes | None:
        with self._lock.taken(self._busy_timeout):
            if not self.path.exists():
                return None
            # A log beside it means that others have it open, or had and were killed.
            log = self.path.with_name(f"{self.path.name}-wal")
            how = "mode=ro" if log.exists() else "immutable=1"
            place = f"{self.path.absolute().as_uri()}?{how}"
            with closing(
                sqlite3.connect(place, timeout=self._busy_timeout, uri=True)
            ) as connection:
                return statements.look(connection, key, self._clock())

    def _connection(self) -> sqlite3.Connection:
        # It may be the parent's, or its file deleted or set aside by another process.
        if self._pid != os.getpid() or (
            self._opened is not None and self._file != _identity(self.path)
        ):
            self._let_go()
        if self._opened is None:
            self._opened, self._pid = self._open(), os.getpid()
            self._closing = weakref.finalize(self, _close, self._opened, self._pid)
        return self._opened

    def _open(self) -> sqlite3.Connection:
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with suppress(FileExistsError):
            os.close(os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        self._file = _identity(self.path)
        connection = sqlite3.connect(
            self.path,
            timeout=self._busy_timeout,
            isolation_level=None,
            check_same_thread=False,
        )
        try:
            statements.prepare(connection, self._busy_timeout)
        except BaseException:
            connection.close()
            raise
        return connection

    def _set_aside(self) -> bool:
        """Make way for a new file; False if that was done before and did not help."""
        self._let_go()
        if self._file != _identity(self.path):
            return True  # another process was faster
        if self._has_set_aside:
            return False
        self._has_set_aside = True
        aside = self.path.with_name(f"{self.path.name}.damaged")
        _log.warning("the cache's file %s is damaged; it is kept as %s", self.path.name, aside.name)
        # These first: once the damaged file is gone they would be the next one's.
        for suffix in ("-wal", "-shm"):
            self.path.with_name(self.path.name + suffix).unlink(missing_ok=True)
        with suppress(FileNotFoundError):
            self.path.replace(aside)
        return True

    def _close(self) -> None:
        with self._lock.taken(self._busy_timeout):
            self._let_go()

    def _let_go(self) -> None:
        if self._closing is not None:
            self._closing()
        self._opened = self._closing = None


def _close(connection: sqlite3.Connection, pid: int) -> None:
    if pid == os.getpid():
        connection.close()
    else:
        _inherited.append(connection)


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino
