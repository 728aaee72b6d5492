"""A client with the plugin, on a clock that only pauses move."""

from __future__ import annotations

import time
from typing import Any

import pytest
from attrs import define, field

from orq_core import OrqError
from orq_core._http import Wire
from orq_core.models import make_converter
from orq_core.testing import DONE, Mode, ScriptedTransport, chunk, completion, reply, stream
from orq_plugins.retries import Retries

KEY = "fake-key-1234567890"
SERVER = "https://router.example.test"
HELLO = [{"role": "user", "content": "hello"}]
ROLE = chunk("", role="assistant")
CONVERTER = make_converter()
OK = reply(completion("hi"))
OK_STREAM = stream(ROLE, chunk("h"), chunk("i"), chunk(finish_reason="stop"), DONE)


@define
class FakeRuntime:
    """Sleeps by moving its clock; ``pauses`` are what it was asked for."""

    is_async: bool
    time: float = 1000.0
    pauses: list[float] = field(factory=list)
    before_pause: Any = lambda: None

    def now(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        self.before_pause()
        self.pauses.append(seconds)
        self.time += seconds

    async def run(self, function: Any, *args: Any) -> Any:
        return function(*args)

    def interrupt(self) -> None:
        pass


@define
class HastyRuntime(FakeRuntime):
    """The real clock, and pauses that are only noted: for real sockets."""

    def now(self) -> float:
        return time.monotonic()


def prepare(client: Any, runtime: FakeRuntime) -> None:
    """Give a client its clock, and the converter that takes longer to build than a call."""
    core = client._core
    core.runtime = runtime
    if core.transport is not None:
        core._wire = Wire(core.transport, CONVERTER, core.manager.hook)


class Scene:
    """One client and its script; random numbers are all ``draw``."""

    def __init__(
        self, mode: Mode, *replies: Any, draw: float = 1.0, plugin: Any = None, **client: Any
    ) -> None:
        self.mode = mode
        self.transport = ScriptedTransport(*replies, is_async=mode.is_async)
        self.runtime = FakeRuntime(mode.is_async)
        self.plugin = Retries(random=lambda: draw) if plugin is None else plugin
        self.arguments = {
            "api_key": KEY,
            "server_url": SERVER,
            "transport": self.transport,
            "plugins": [self.plugin],
            "discover": False,
            **client,
        }
        self.info: Any = None
        self.seen: list[Any] = []

    @property
    def sent(self) -> int:
        return len(self.transport.requests)

    def create(self, **arguments: Any) -> Any:
        """Return the completion, or what a stream adds up to."""

        async def body() -> Any:
            async with self.mode.client(**self.arguments) as client:
                prepare(client, self.runtime)
                answer = await self.mode.create(
                    client, **{"messages": HELLO, "model": "fake/model", **arguments}
                )
                self.info = answer.info
                if hasattr(answer, "completion"):
                    async for each in self.mode.iterate(answer):
                        self.seen.append(each)
                    answer = answer.partial
                return answer

        try:
            return self.mode.run(body)
        finally:
            assert self.transport.open_responses == 0

    def fails(self, kind: type[BaseException] = OrqError, **arguments: Any) -> Any:
        with pytest.raises(kind) as caught:
            self.create(**arguments)
        assert len(caught.value.attempts) == self.sent
        return caught.value

    @property
    def note(self) -> Any:
        return self.info.notes.get("retries")
