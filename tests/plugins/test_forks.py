"""A fork while another thread is at work: the child has no such thread, nor its lock."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from typing import Any

import pytest

from orq_plugins.redaction.literals import Literals
from orq_plugins.redaction.vault import Vault
from orq_plugins.retries.budget import Budget

LOCKED: dict[str, tuple[Callable[[], Any], Callable[[Any], object]]] = {
    "retry budget": (lambda: Budget(2, 1), lambda budget: budget.spend("a")),
    "vault": (Vault, lambda vault: vault.placeholder("EMAIL", "ada@example.com")),
    "literals": (lambda: Literals([]), lambda literals: literals.learn(frozenset({"ROOM"}))),
}


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.parametrize("name", LOCKED)
def test_the_child_goes_on(name: str) -> None:
    make, use = LOCKED[name]
    shared = make()
    held, done = threading.Event(), threading.Event()

    def hold() -> None:
        with shared._lock:
            held.set()
            done.wait(10)

    holder = threading.Thread(target=hold)
    holder.start()
    held.wait(10)
    child = os.fork()
    if child == 0:
        signal.alarm(5)  # ends it if it hangs
        os._exit(0 if use(shared) else 1)
    done.set()
    holder.join()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
