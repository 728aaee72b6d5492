"""This client, on asyncio."""

from __future__ import annotations

from typing import Any

from orq_core import AsyncOrq
from tests.benchmarks.speed.contestants import sdk
from tests.benchmarks.speed.contestants.asking import KEY


class Contestant(sdk.Asyncio):
    plugins: tuple[Any, ...] = ()

    def __init__(self, url: str) -> None:
        self.client = AsyncOrq(
            api_key=KEY,
            server_url=url,
            discover=False,
            plugins=self.plugins,
            max_connections=4096,
        )
        self.create = self.client.router.chat.completions.create

    async def close(self) -> None:
        await self.client.aclose()
