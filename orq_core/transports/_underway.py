"""What a blocking transport waits for, so that closing it ends every wait."""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import TYPE_CHECKING
from weakref import WeakSet

from orq_core.errors import APIConnectionError
from orq_core.transports._reader import shut_down

if TYPE_CHECKING:
    from urllib3.connection import HTTPConnection

    from orq_core.transports._requests_response import RequestsResponse


class Underway:
    """Connections on which a head is waited for, and answers that are open; for any thread."""

    def __init__(self) -> None:
        """Begin with none."""
        self.ended = False
        self._asked: set[HTTPConnection] = set()
        self._answers: WeakSet[RequestsResponse] = WeakSet()
        self._lock = threading.RLock()  # the collector may run in between, and an interrupt come

    def ask(self, connection: HTTPConnection) -> None:
        """Take a connection on which a head is waited for; raises after the end."""
        with self._lock:
            self._asked.add(connection)
        if self.ended:
            raise closed()

    def answered(self, connection: HTTPConnection) -> None:
        """Let go of one that is waited for no longer."""
        with self._lock:
            self._asked.discard(connection)

    def opened(self, answer: RequestsResponse) -> None:
        """Take an answer whose head has arrived; after the end it is closed, and this raises."""
        with self._lock:
            self._answers.add(answer)
        if self.ended:
            answer.close()
            raise closed()

    def end(self) -> None:
        """Wake all who wait and close all answers."""
        self.ended = True
        with self._lock:
            asked, answers = [*self._asked], [*self._answers]
        for sock in [connection.sock for connection in asked]:
            if sock is not None:
                with suppress(OSError):
                    shut_down(sock)
        for answer in answers:
            answer.close()


def closed() -> APIConnectionError:
    """Make the error for those whose wait was ended."""
    return APIConnectionError("the client was closed before the answer came")
