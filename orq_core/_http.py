"""The innermost layer: requests on the wire, and the items of their answers."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from attrs import define, field

from orq_core._reply import Reply

if TYPE_CHECKING:
    import pluggy
    from cattrs import Converter

    from orq_core.call import Call, Items
    from orq_core.models import ChatCompletionRequest
    from orq_core.transports import Response, Transport


@define(eq=False)
class Wire:
    """What a client's calls share on their way out; nothing is sent any more once ``closed``."""

    transport: Transport
    converter: Converter
    hook: pluggy.HookRelay
    max_event_bytes: int = 64 * 2**20
    closed: bool = False


@define(eq=False)
class Sender:
    """The source of one call's items; every call of `items` or `batches` is one attempt."""

    wire: Wire
    key: str | None = field(repr=False)
    _responses: list[Response] = field(init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        """Begin with no answer."""
        self._responses = []

    def abort(self) -> None:
        """Drop the connections of this call from any thread, which wakes their reader."""
        for response in tuple(self._responses):
            response.close()

    async def items(self, call: Call, request: ChatCompletionRequest) -> Items:
        """Yield the answer's items one by one, for layers; see `batches`."""
        async with contextlib.aclosing(self.batches(call, request)) as batches:
            async for batch in batches:
                for piece in batch:
                    # `unfolded` would be one more generator for each item.
                    if isinstance(piece, tuple):
                        for item in map(piece[0].make, piece[1]):
                            yield item
                    else:
                        yield piece

    def batches(self, call: Call, request: ChatCompletionRequest) -> Reply:
        """Return what sends the request and yields what arrives together."""
        return Reply(self.wire, self.key, self._responses, call, request)
