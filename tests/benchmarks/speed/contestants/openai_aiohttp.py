"""The ``openai`` SDK on asyncio, over aiohttp."""

from __future__ import annotations

from typing import Any

from openai import DefaultAioHttpClient

from tests.benchmarks.speed.contestants import openai_async


class Contestant(openai_async.Contestant):
    @staticmethod
    def backend() -> dict[str, Any]:
        return {"http_client": DefaultAioHttpClient()}
