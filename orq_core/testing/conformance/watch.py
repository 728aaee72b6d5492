"""Sees blocking calls on an event loop, and awaits that a blocking client can't serve."""

from __future__ import annotations

import _socket
import asyncio
import io
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

from orq_core import _runtime

if TYPE_CHECKING:
    from types import FrameType

    from typing_extensions import Self

    from orq_core.testing.conformance.seen import Seen

_FUNCTIONS = frozenset(
    {
        "_io.open",
        "_posixsubprocess.fork_exec",
        "_socket.getaddrinfo",
        "_socket.gethostbyaddr",
        "_socket.gethostbyname",
        "_socket.gethostbyname_ex",
        "_socket.getnameinfo",
        "_sqlite3.connect",
        "io.open",
        "posix.fdatasync",
        "posix.fsync",
        "posix.listdir",
        "posix.open",
        "posix.read",
        "posix.scandir",
        "posix.system",
        "posix.wait",
        "posix.waitpid",
        "posix.write",
        "select.select",
        "time.sleep",
    },
)
_SOCKET = frozenset(
    {"accept", "connect", "connect_ex", "recv", "recv_into", "recvfrom", "send", "sendall"}
)
_SQLITE = frozenset({"commit", "execute", "executemany", "executescript", "rollback"})
_FILE = frozenset({"flush", "read", "readline", "readlines", "write", "writelines"})
_FILES = (io.TextIOWrapper, io.BufferedReader, io.BufferedWriter, io.BufferedRandom, io.FileIO)
_NAMES = {name.rpartition(".")[2] for name in _FUNCTIONS} | _SOCKET | _SQLITE | _FILE
# Where the interpreter reads source text, and handlers write what an application set up.
_EXCUSED = ("<frozen importlib", "linecache.py", "logging/__init__.py", "logging/handlers.py")

_WAIT = threading.Condition.wait.__code__  # of events, queues, futures and semaphores too
_START = threading.Thread.start.__code__  # waits for a moment, whoever starts a thread

_REFUSE = _runtime._refuse.__code__  # noqa: SLF001 - the watch tells by its code object that blocking code was made to wait; it has no public name
_BEAT = 0.01  # seconds between two beats
_STALL = 0.15  # seconds without a beat


class Watch:
    """Looks at the calls of one thread with `sys.setprofile`, which misses none however short."""

    def __init__(self, seen: Seen) -> None:
        """Write to ``seen``."""
        self._seen = seen
        self._before: Any = None
        self.opened: str | None = None
        self.armed = False  # while a client is made, it may open what it needs

    def __enter__(self) -> Self:
        """Begin to look."""
        self._before = sys.getprofile()
        sys.setprofile(self._look)
        return self

    def __exit__(self, *_: object) -> None:
        """Look no more."""
        # One written in C, as cProfile's, can't be set again.
        sys.setprofile(self._before if callable(self._before) else None)

    # What a profiler calls is not traced, and so not counted by coverage.
    def _look(
        self, frame: FrameType, event: str, argument: Any
    ) -> None:  # pragma: no cover - not traced
        if event == "c_call":
            if getattr(argument, "__name__", None) in _NAMES:
                self._judge(frame, argument)
        elif event != "call":
            return
        elif frame.f_code is _WAIT:
            self._judge_wait(frame)
        elif frame.f_code is _REFUSE and self._seen.suspended is None:
            step = frame.f_locals["step"]
            where = _waits(step, self._seen)
            del step
            self._seen.suspended = where or self._seen.origin.definition

    def _judge(self, frame: FrameType, function: Any) -> None:  # pragma: no cover - not traced
        name = blocking_call(function)
        if name is None or _excused(frame):
            return
        where = self._seen.origin.of_frame(frame)
        if where is None:
            return
        self.opened = where
        if self.armed and self._seen.mode.is_async:
            self._seen.blocked.append((name, where))

    def _judge_wait(self, frame: FrameType) -> None:  # pragma: no cover - not traced
        timeout = frame.f_locals["timeout"]
        if (timeout is not None and timeout <= 0) or _excused(frame):
            return
        where = self._seen.origin.of_frame(frame)
        if where is not None and self.armed and self._seen.mode.is_async:
            self._seen.blocked.append(("a wait of threading", where))


def blocking_call(function: Any) -> str | None:  # pragma: no cover - not traced
    """Name a built-in function that waits for a disk, a network, a process or a clock."""
    name: str = function.__name__
    owner = getattr(function, "__self__", None)
    full = f"{function.__module__}.{name}"
    if full in _FUNCTIONS:
        return full.removeprefix("_").replace("posixsubprocess", "subprocess")
    if name in _SOCKET and isinstance(owner, _socket.socket):
        return None if owner.gettimeout() == 0 else f"socket.{name}"
    if name in _SQLITE and type(owner).__module__ == "sqlite3":
        return f"sqlite3.{type(owner).__name__}.{name}"
    if name in _FILE and isinstance(owner, _FILES):
        standard = (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__)
        return None if any(owner is each for each in standard) else f"file.{name}"
    return None


def _excused(frame: FrameType | None) -> bool:  # pragma: no cover - not traced
    while frame is not None:
        filename = frame.f_code.co_filename
        if filename.startswith(_EXCUSED[0]) or filename.endswith(_EXCUSED[1:]):
            return True
        if frame.f_code is _START:
            return True
        frame = frame.f_back
    return False


def _waits(step: Any, seen: Seen) -> str | None:  # pragma: no cover - not traced
    """Name the plugin's innermost line that waits: in a chain of awaits, or in its generators."""
    return waiting_line(seen) or _innermost(step, seen)


def waiting_line(seen: Seen) -> str | None:
    """Name the innermost line that waits in the plugin's generators."""
    found = None
    for reference in seen.generators:
        items = reference()
        # What pulls a generator knows nothing of it, so its chain begins anew.
        if items is not None and items.ag_await is not None:
            found = _innermost(items, seen) or found
    return found


def _innermost(step: Any, seen: Seen) -> str | None:  # pragma: no cover - not traced
    found = None
    while step is not None:
        frame = getattr(step, "cr_frame", None) or getattr(step, "ag_frame", None)
        if frame is not None:
            found = seen.origin.of_frame(frame) or found
        step = getattr(step, "cr_await", None) or getattr(step, "ag_await", None)
    return found


class Heart:
    """A beat on the loop, and a thread that samples the loop's stack when it stops.

    It finds what is no call: computing for long, or a lock.
    """

    def __init__(self, seen: Seen) -> None:
        """Beat on the running loop."""
        self._seen = seen
        self._loop = asyncio.get_running_loop()
        self._thread_id = threading.get_ident()
        self._last = time.monotonic()
        self._stop = threading.Event()
        self._handle = self._loop.call_soon(self._beat)
        self._thread = threading.Thread(target=self._watch, name="orq heart", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the beat and the thread."""
        self._handle.cancel()
        self._stop.set()
        self._thread.join()

    def _beat(self) -> None:
        self._last = time.monotonic()
        self._handle = self._loop.call_later(_BEAT, self._beat)

    def _watch(self) -> None:
        while not self._stop.wait(_BEAT):
            if time.monotonic() - self._last < _STALL:
                continue
            frame = sys._current_frames().get(self._thread_id)  # noqa: SLF001 - documented in spite of its name, and the only way to the frame of another thread
            while frame is not None and frame.f_code.co_filename == __file__:
                frame = frame.f_back  # the profiler, in the middle of a look
            where = self._seen.origin.of_frame(frame)
            del frame
            if where is not None:
                self._seen.stalled.append((f"{_STALL:g} s without a turn of the loop", where))
                return
