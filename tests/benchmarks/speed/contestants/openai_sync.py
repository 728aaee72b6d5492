"""The ``openai`` SDK, blocking."""

from __future__ import annotations

from openai import OpenAI

from tests.benchmarks.speed.contestants import sdk
from tests.benchmarks.speed.contestants.asking import KEY


class Contestant(sdk.Blocking):
    def __init__(self, url: str) -> None:
        self.client = OpenAI(api_key=KEY, base_url=f"{url}/v2/router")
        self.create = self.client.chat.completions.create
