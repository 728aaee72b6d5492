"""This client, blocking."""

from __future__ import annotations

from typing import Any

from orq_core import Orq
from tests.benchmarks.speed.contestants import sdk
from tests.benchmarks.speed.contestants.asking import KEY


class Contestant(sdk.Blocking):
    plugins: tuple[Any, ...] = ()

    def __init__(self, url: str) -> None:
        self.client = Orq(api_key=KEY, server_url=url, discover=False, plugins=self.plugins)
        self.create = self.client.router.chat.completions.create
