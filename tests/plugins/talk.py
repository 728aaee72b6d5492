"""Several calls on one client over a scripted transport, in either mode."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from attrs import define, field

from orq_core import ChatCompletion, OrqError
from orq_core.testing import DONE, Mode, ScriptedTransport, chunk, completion, reply, stream

KEY = "fake-key-1234567890"
SERVER = "https://router.example.test"
HELLO = [{"role": "user", "content": "hello"}]
OK = reply(completion("hi there"))
OK_STREAM = stream(
    chunk("", role="assistant"), chunk("hi "), chunk("there"), chunk(finish_reason="stop"), DONE
)


@define
class Answer:
    """What came of one call."""

    completion: ChatCompletion | None = None
    chunks: list[Any] = field(factory=list)
    error: BaseException | None = None
    info: Any = None

    @property
    def text(self) -> str:
        return "" if self.completion is None else self.completion.text

    def note(self, plugin: str) -> Any:
        return self.info.notes.get(plugin)


class Talk:
    """A client with plugins whose calls are answered by a script."""

    def __init__(self, mode: Mode, *replies: Any, plugins: Any = (), **client: Any) -> None:
        self.mode = mode
        self.transport = ScriptedTransport(*replies, is_async=mode.is_async)
        self.arguments = {
            "api_key": KEY,
            "server_url": SERVER,
            "transport": self.transport,
            "plugins": plugins,
            "discover": False,
            **client,
        }

    @property
    def sent(self) -> int:
        return len(self.transport.requests)

    @asynccontextmanager
    async def client(self) -> AsyncGenerator[Any, None]:
        async with self.mode.client(**self.arguments) as client:
            yield client

    async def ask(self, client: Any, **arguments: Any) -> Answer:
        """Make one call and read it to its end."""
        return await ask(self.mode, client, **arguments)

    def all(self, *calls: dict[str, Any]) -> list[Answer]:
        """Make these calls in turn, on one client."""

        async def body() -> list[Answer]:
            async with self.client() as client:
                return [await self.ask(client, **call) for call in calls]

        try:
            return self.mode.run(body)
        finally:
            assert self.transport.open_responses == 0

    def one(self, **arguments: Any) -> Answer:
        return self.all(arguments)[0]


async def ask(mode: Mode, client: Any, **arguments: Any) -> Answer:
    """Make one call in either mode and read it to its end."""
    answer = Answer()
    result = None
    try:
        given = {"messages": HELLO, "model": "fake/model", **arguments}
        result = await mode.create(client, **given)
        answer.info = result.info
        if isinstance(result, ChatCompletion):
            answer.completion = result
        else:
            async for each in mode.iterate(result):
                answer.chunks.append(each)
            answer.completion = result.partial
    except OrqError as error:
        answer.error = error
        if result is not None and not isinstance(result, ChatCompletion):
            answer.completion = result.partial
    return answer
