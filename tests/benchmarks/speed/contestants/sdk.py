"""What a user of an SDK writes, the same for each; a contestant adds its client."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

from tests.benchmarks.speed.contestants.asking import ask


class Blocking:
    client: Any
    create: Any

    def complete(self, model: str) -> None:
        assert self.create(**ask(model)).choices[0].message.content

    def read(self, model: str) -> int:
        count, texts = 0, []
        with self.create(**ask(model, stream=True)) as stream:
            for event in stream:
                count += 1
                if text := event.choices[0].delta.content:
                    texts.append(text)
        assert "".join(texts)
        return count

    def first(self, model: str) -> float:
        began = time.perf_counter()
        with self.create(**ask(model, stream=True)) as stream:
            assert next(iter(stream)).choices
            taken = time.perf_counter() - began
            for _ in stream:
                pass
        return taken

    def close(self) -> None:
        self.client.close()


class Asyncio:
    client: Any
    create: Any

    async def complete(self, model: str) -> None:
        assert (await self.create(**ask(model))).choices[0].message.content

    async def read(self, model: str) -> int:
        count, texts = 0, []
        async with await self.create(**ask(model, stream=True)) as stream:
            async for event in stream:
                count += 1
                if text := event.choices[0].delta.content:
                    texts.append(text)
        assert "".join(texts)
        return count

    async def first(self, model: str) -> float:
        began = time.perf_counter()
        async with await self.create(**ask(model, stream=True)) as stream:
            assert (await anext(aiter(stream))).choices
            taken = time.perf_counter() - began
            async for _ in stream:
                pass
        return taken

    async def hold(self, model: str, arrived: Callable[[], None], go: asyncio.Event) -> None:
        async with await self.create(**ask(model, stream=True)) as stream:
            await anext(aiter(stream))
            arrived()
            await go.wait()
            async for _ in stream:
                pass

    async def close(self) -> None:
        await self.client.close()
