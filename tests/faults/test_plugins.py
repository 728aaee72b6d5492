"""An exception in a plugin: the caller gets it, the connection is let go, the client goes on."""

from __future__ import annotations

from typing import Any

import pytest

from orq_core import hookimpl
from orq_core.testing import Mode
from tests.faults.nonces import arguments, asked, asking, nothing_left, run, serve
from tests.raw_server import RawServer


class Breaks:
    """Breaks once, at one place of a call."""

    name = "breaks"

    def __init__(self) -> None:
        self.at = ""

    def reach(self, place: str) -> None:
        if place == self.at:
            self.at = ""
            raise ZeroDivisionError(place)

    @hookimpl
    def orq_wrap_create(self, call: Any) -> Any:
        self.reach("before the call")
        return self.layer

    @hookimpl
    def orq_prepare_request(self, call: Any, http: Any) -> None:
        self.reach("before the request")

    async def layer(self, call: Any, request: Any, proceed: Any) -> Any:
        self.reach("before the first item")
        seen = 0
        try:
            async for item in proceed(request):
                seen += 1
                self.reach(f"after {seen} items")
                yield item
        finally:
            self.reach("in its farewell")


PLACES = ["before the call", "before the request", "before the first item", "in its farewell"]
PLACES += [f"after {seen} items" for seen in (1, 2, 3)]


@pytest.mark.parametrize("place", PLACES)
def test_a_plugin_that_breaks(mode: Mode, place: str) -> None:
    plugin = Breaks()

    async def body() -> None:
        async with mode.client(**{**arguments(server), "plugins": [plugin]}) as client:
            await asked(mode, client, "before")
            plugin.at = place
            inside = place.startswith("after")
            plan = {"events": 9, "hold": 4} if inside else {}
            with pytest.raises(ZeroDivisionError, match=place):
                stream = await mode.create(client, stream=True, **asking("broken", **plan))
                await mode.completion(stream)
            if inside:
                assert await client.runtime.run(server.left.wait, 2)
            await asked(mode, client, "after")

    with RawServer(serve) as server, nothing_left(server):
        run(mode, body)
