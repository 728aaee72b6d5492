"""The ``openai`` SDK on asyncio, with the HTTP library it brings."""

from __future__ import annotations

from typing import Any

from openai import AsyncOpenAI

from tests.benchmarks.speed.contestants import sdk
from tests.benchmarks.speed.contestants.asking import KEY


class Contestant(sdk.Asyncio):
    def __init__(self, url: str) -> None:
        self.client = AsyncOpenAI(api_key=KEY, base_url=f"{url}/v2/router", **self.backend())
        self.create = self.client.chat.completions.create

    @staticmethod
    def backend() -> dict[str, Any]:
        return {}
