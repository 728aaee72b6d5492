"""Numbers and times every event."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import evolve

from orq_core import hookimpl

if TYPE_CHECKING:
    from orq_core import Call, ChatCompletionRequest, Items, Layer, Proceed


class Numbering:
    """Puts ``extra["acme"] = {"event": 1, "ms": 12.5}`` on every event of an answer.

    A browser that reconnects can say where it left off, and a recording shows when each event came.
    A whole answer is an answer of one event.
    """

    name = "acme-numbering"

    @hookimpl(tryfirst=True)
    def orq_wrap_create(self, call: Call) -> Layer:
        """Stand outside of the cache, whose hits are numbered too."""
        del call
        return self.around

    async def around(self, call: Call, request: ChatCompletionRequest, proceed: Proceed) -> Items:
        """Pass on a copy of each event, since a cache or another caller may hold the original."""
        number, began = 0, call.now()  # local variables: one call's state belongs to one call
        async for item in proceed(request):
            number += 1
            stamp = {"event": number, "ms": round((call.now() - began) * 1000, 3)}
            yield evolve(item, extra={**item.extra, "acme": stamp})
