"""Open, pull, close: binds the layers of one call and releases them on every way out."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING

from orq_core._let_end import let_end
from orq_core.errors import PluginError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from orq_core.call import Call, Detached, Item, Items, Layer
    from orq_core.models import ChatCompletionRequest

    Source = Callable[[Call, ChatCompletionRequest], Items]


class Exchange:
    """One call's generators: opened from the outside in, closed from the outside in.

    The generators know the exchange weakly, so that dropping it (with the stream that holds it)
    closes them at once, without waiting for the cycle collector.
    """

    __slots__ = ("__weakref__", "_call", "_layers", "_opened", "_source")

    def __init__(self, call: Call, layers: Sequence[Layer], source: Source) -> None:
        """Bind layers, outermost first, around a source of items."""
        self._call = call
        self._layers = layers
        self._source = source
        self._opened: list[Items] = []

    def open(self) -> Items:
        """Open the outermost layer with the caller's request."""
        return self.enter(0, self._call.request)

    def enter(self, depth: int, request: ChatCompletionRequest) -> Items:
        """Open the layer at a depth, or the source behind the last one."""
        if depth == len(self._layers):
            items = self._source(self._call, request)
        else:
            layer = self._layers[depth]
            _check(layer)
            items = layer(self._call, request, _Opener(weakref.ref(self), depth + 1))
            if not hasattr(items, "__anext__") or not hasattr(items, "aclose"):
                _discard(items)
                raise _no_layer(f"layer {_name(layer)} returned {type(items).__name__}", layer)
        # Finished ones are let go, or a retry's attempts would pile up.
        self._opened = [each for each in self._opened if not _finished(each)]
        self._opened.append(items)
        return items

    def detach(self, depth: int, request: ChatCompletionRequest, call: Call | None) -> Detached:
        """Open the layers from a depth on, with a life of their own; see `Proceed.detached`."""
        exchange = Exchange(call or self._call, self._layers[depth:], self._source)
        return _Detached(exchange, exchange.enter(0, request))

    async def close(self) -> None:
        """Close whatever is still open, outermost first; the first failure is raised at the end."""
        opened, self._opened = self._opened, []
        failure: BaseException | None = None
        for items in opened:
            try:
                await items.aclose()
            except BaseException as error:  # noqa: BLE001 - kept, and raised below once every other layer is closed too
                failure = failure or error
        if failure is not None:
            try:
                raise failure
            finally:
                # Its traceback refers to this frame.
                del failure

    def abandon(self) -> None:
        """Close without awaiting, for a stream that was dropped; never raises."""
        if not self._opened:
            return
        let_end(self.close())


class _Opener:
    """What a layer is handed as ``proceed``; it keeps nothing alive."""

    __slots__ = ("_depth", "_exchange")

    def __init__(self, exchange: weakref.ref[Exchange], depth: int) -> None:
        self._exchange = exchange
        self._depth = depth

    def __call__(self, request: ChatCompletionRequest, /) -> Items:
        return self._alive().enter(self._depth, request)

    def detached(self, request: ChatCompletionRequest, /, call: Call | None = None) -> Detached:
        return self._alive().detach(self._depth, request, call)

    def _alive(self) -> Exchange:
        alive = self._exchange()
        if alive is None:
            raise RuntimeError("proceed was called after the call had ended")
        return alive


class _Detached:
    """See `orq_core.call.Detached`: an exchange of the layers within."""

    def __init__(self, exchange: Exchange, items: Items) -> None:
        self._exchange = exchange
        self.items = items

    async def close(self) -> None:
        await self._exchange.close()


def _finished(items: Items) -> bool:
    return getattr(items, "ag_frame", items) is None


def _check(layer: object) -> None:
    """Refuse what can't be called: a plugin may return anything."""
    if not callable(layer):
        _discard(layer)
        raise _no_layer(f"orq_wrap_create returned {type(layer).__name__}", layer)


def _no_layer(problem: str, layer: object) -> PluginError:
    return PluginError(
        f"{problem}; a layer is an async generator function: "
        "`async def layer(call, request, proceed)` with `yield`",
        plugin=_name(layer),
    )


def _discard(items: object) -> None:
    """Close a coroutine that was returned by mistake, so that it does not warn."""
    close = getattr(items, "close", None)
    if callable(close):
        close()


def _name(layer: object) -> str:
    return getattr(layer, "__qualname__", type(layer).__name__)


async def pull(items: Items) -> Item | None:
    """Return the next item, or None at the end."""
    try:
        return await items.__anext__()
    except StopAsyncIteration:
        return None
