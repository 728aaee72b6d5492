"""The asyncio floor: `aiohttp`, a fast JSON decoder and a tuned loop."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import aiohttp
import msgspec

from tests.benchmarks.speed.contestants.asking import KEY, ask

HEADERS = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"}
decode = msgspec.json.Decoder().decode


class Contestant:
    def __init__(self, url: str) -> None:
        self.url = f"{url}/v2/router/chat/completions"
        self.session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))

    def _post(self, model: str, *, stream: bool = False) -> Any:
        data = msgspec.json.encode(ask(model, stream=stream))
        return self.session.post(self.url, data=data, headers=HEADERS)

    async def complete(self, model: str) -> None:
        async with self._post(model) as response:
            assert decode(await response.read())["choices"][0]["message"]["content"]

    async def read(self, model: str) -> int:
        count, rest, texts = 0, b"", []
        async with self._post(model, stream=True) as response:
            async for data in response.content.iter_any():
                lines = (rest + data).split(b"\n")
                rest = lines.pop()
                for line in lines:
                    if line.startswith(b"data: ") and line != b"data: [DONE]":
                        event = decode(line[6:])
                        count += 1
                        if text := event["choices"][0]["delta"].get("content"):
                            texts.append(text)
        assert "".join(texts)
        return count

    async def first(self, model: str) -> float:
        began = time.perf_counter()
        async with self._post(model, stream=True) as response:
            data = b""
            while b"\n\n" not in data:
                data += await response.content.readany()
            assert decode(data.partition(b"\n\n")[0][6:])["choices"]
            taken = time.perf_counter() - began
            async for _ in response.content.iter_any():
                pass
        return taken

    async def hold(self, model: str, arrived: Callable[[], None], go: asyncio.Event) -> None:
        async with self._post(model, stream=True) as response:
            await response.content.readany()
            arrived()
            await go.wait()
            async for _ in response.content.iter_any():
                pass

    async def close(self) -> None:
        await self.session.close()
