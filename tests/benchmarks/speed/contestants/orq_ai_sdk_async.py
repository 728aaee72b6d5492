"""The router's own generated SDK, on asyncio."""

from __future__ import annotations

from orq_ai_sdk import Orq

from tests.benchmarks.speed.contestants import sdk
from tests.benchmarks.speed.contestants.asking import KEY, ask


class Contestant(sdk.Asyncio):
    def __init__(self, url: str) -> None:
        self.client = Orq(api_key=KEY, server_url=url)
        self.create = self.client.router.chat.completions.create_async

    async def read(self, model: str) -> int:
        count, texts = 0, []
        async with await self.create(**ask(model, stream=True)) as stream:
            async for event in stream:
                count += 1
                if text := event.data.choices[0].delta.content:
                    texts.append(text)
        assert "".join(texts)
        return count

    async def close(self) -> None:
        """The SDK closes its HTTP client by itself."""
