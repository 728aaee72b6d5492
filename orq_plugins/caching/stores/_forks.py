"""Files that must not be open across a fork."""

from __future__ import annotations

import os
import threading
from typing import Protocol
from weakref import WeakSet


class Forkable(Protocol):
    """Something that closes its file before a fork and opens it again when it is needed."""

    def before_fork(self) -> bool:
        """Close the file and keep others from opening it; tell whether that was possible."""
        ...

    def after_fork(self) -> None:
        """Let the others go on; called in the parent where `before_fork` returned True."""
        ...


class _Closed(threading.local):
    """What this thread closed for the fork that it is about to make."""

    def __init__(self) -> None:
        self.files: list[Forkable] = []


_all: WeakSet[Forkable] = WeakSet()
_closed = _Closed()


def close_before_forks(each: Forkable) -> None:
    """Have its methods called around every fork, for as long as it lives."""
    _all.add(each)


def _before() -> None:
    _closed.files = [each for each in tuple(_all) if each.before_fork()]


def _in_parent() -> None:
    files, _closed.files = _closed.files, []
    for each in files:
        each.after_fork()


def _in_child() -> None:
    _closed.files = []


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before, after_in_parent=_in_parent, after_in_child=_in_child)
