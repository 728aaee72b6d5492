"""A real model server for the tests: llama.cpp's own, with a tiny model of random weights.

Where its packages are missing the tests are skipped, or fail with ORQ_REQUIRE_REAL=1.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from attrs import define

from orq_core import AsyncOrq, AsyncStream, Orq

HERE = Path(__file__).parent
KEY = "sk-fake-real-server"


def need(*packages: str) -> None:
    for package in packages:
        try:
            importlib.import_module(package)
        except ImportError:
            reason = f"the package {package} is not installed"
            if os.environ.get("ORQ_REQUIRE_REAL"):
                pytest.fail(reason)
            pytest.skip(reason)


class LlamaServer:
    """The server in a process of its own; `wait` returns once the model is loaded."""

    def __init__(self, model: Path, *, key: str | None = None, slots: int = 2) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}/v2/router"
        settings = {
            "model": str(model),
            "port": self.port,
            "api_keys": [key] if key else [],
            "slots": slots,
        }
        self.process = subprocess.Popen(
            [sys.executable, HERE / "llama_server.py", json.dumps(settings)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def wait(self) -> LlamaServer:
        line = self.process.stdout.readline()
        assert line.strip() == self.url.removesuffix("/v2/router")
        return self

    def kill(self) -> None:
        """Take it away as an out-of-memory kill would: SIGKILL."""
        self.process.kill()
        self.process.communicate()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory):
    need("gguf", "numpy", "xllamacpp")
    from tests.real import tiny_model

    return tiny_model.write(tmp_path_factory.mktemp("model") / "tiny.gguf")


@pytest.fixture(scope="session")
def slow_model(tmp_path_factory):
    """The same with so large a vocabulary that loading it takes a second or so."""
    need("gguf", "numpy", "xllamacpp")
    from tests.real import tiny_model

    return tiny_model.write(tmp_path_factory.mktemp("model") / "slow.gguf", padding=150_000)


@pytest.fixture(scope="session")
def server(tiny_model):
    server = LlamaServer(tiny_model).wait()
    yield server
    server.kill()


@pytest.fixture(scope="session")
def locked_server(tiny_model):
    """One that asks for a key and has one slot."""
    server = LlamaServer(tiny_model, key=KEY, slots=1).wait()
    yield server
    server.kill()


@pytest.fixture
def doomed_server(tiny_model):
    """One of the test's own, to be killed."""
    server = LlamaServer(tiny_model).wait()
    yield server
    server.kill()


@pytest.fixture
def loading_server(slow_model):
    server = LlamaServer(slow_model)
    yield server
    server.kill()


@pytest.fixture(params=["blocking", "asyncio"])
def open_client(request, monkeypatch):
    """A function that opens an `Orq`, or an `AsyncOrq` whose calls are awaited for the test."""
    monkeypatch.delenv("ORQ_API_KEY", raising=False)
    with contextlib.ExitStack() as stack:
        if request.param == "blocking":

            def open_one(**options):
                client = stack.enter_context(Orq(**options))
                return Client(client.router.chat.completions.create)

        else:
            loop = asyncio.new_event_loop()
            stack.callback(loop.close)

            def open_one(**options):
                client = AsyncOrq(**options)
                stack.callback(lambda: loop.run_until_complete(client.aclose()))

                def create(**fields):
                    answer = loop.run_until_complete(
                        client.router.chat.completions.create(**fields)
                    )
                    return Awaited(loop, answer) if isinstance(answer, AsyncStream) else answer

                return Client(create)

        yield open_one


@define
class Client:
    """What the tests call."""

    create: Any


@define
class Awaited:
    """An `AsyncStream` with the methods of a `Stream`."""

    loop: asyncio.AbstractEventLoop
    stream: AsyncStream

    def __iter__(self):
        while True:
            try:
                yield self.loop.run_until_complete(self.stream.__anext__())
            except StopAsyncIteration:
                return

    def close(self):
        self.loop.run_until_complete(self.stream.aclose())

    def completion(self):
        return self.loop.run_until_complete(self.stream.completion())

    @property
    def partial(self):
        return self.stream.partial

    @property
    def info(self):
        return self.stream.info
