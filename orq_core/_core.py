"""What a client and those derived from it share."""

from __future__ import annotations

import inspect
import threading
from typing import TYPE_CHECKING, Any

from attrs import define, field

from orq_core._http import Wire
from orq_core._origins import Origin
from orq_core.errors import ConfigurationError
from orq_core.models import make_converter

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pluggy
    from cattrs import Converter

    from orq_core._runtime import Asyncio, Blocking
    from orq_core.client import AsyncOrq, Orq
    from orq_core.transports import Transport


@define(eq=False)
class Core:
    """What a client and those derived from it share: pool, plugins, runtime."""

    is_async: bool
    manager: pluggy.PluginManager
    runtime: Blocking | Asyncio
    transport: Transport | None
    transport_options: Mapping[str, Any] = field(repr=False)
    origin: Origin = field(factory=Origin.here, repr=False)
    closed: bool = False
    _wire: Wire | None = None
    _converter: Converter | None = field(default=None, repr=False)
    _own_transport: bool = False
    # Making the wire makes the converter.
    _lock: Any = field(factory=threading.RLock, repr=False)

    @property
    def wire(self) -> Wire:
        """The way out, made at the first call: constructing a client loads no HTTP library."""
        if self.closed:
            raise ConfigurationError("this client is closed; make a new one")
        if self._wire is None:
            with self._lock:
                if self._wire is None:
                    self._wire = self._make_wire()
        return self._wire

    @property
    def converter(self) -> Converter:
        """What reads answers and writes requests, as the plugins taught it."""
        if self.closed:
            raise ConfigurationError("this client is closed; make a new one")
        if self._converter is None:
            with self._lock:
                if self._converter is None:
                    converter = make_converter()
                    self.manager.hook.orq_configure_converter(converter=converter)
                    self._converter = converter
        return self._converter

    def _make_wire(self) -> Wire:
        converter = self.converter
        if self.transport is None:
            self.transport = _default_transport(self.is_async, self.transport_options)
            self._own_transport = True
        # Another thread may have closed the client meanwhile.
        return Wire(self.transport, converter, self.manager.hook, closed=self.closed)

    def __reduce_ex__(self, protocol: Any) -> Any:
        """Refuse to be copied or pickled: connections and locks can't be."""
        raise TypeError(
            "a client can be neither pickled nor deep-copied; make another client there"
        )

    def __del__(self) -> None:
        """Warn of a client that opened connections and was dropped without closing it.

        The connections themselves are closed by the pools they belong to.
        """
        if not self.closed and self._own_transport:
            self.origin.warn("a client was dropped that was not closed")

    async def close(self, client: Orq | AsyncOrq) -> None:
        """Interrupt pauses, tell the plugins, release the pool; once."""
        with self._lock:
            if self.closed:
                return
            self.closed = True
            if self._wire is not None:
                self._wire.closed = True
        self.runtime.interrupt()
        failure: BaseException | None = None
        try:
            # Pluggy keeps implementations in the reverse of their calling order.
            for implementation in self.manager.hook.orq_client_closed.get_hookimpls():
                try:
                    told = implementation.function(*[client for _ in implementation.argnames])
                    if inspect.isawaitable(told):
                        await told
                except Exception as error:  # noqa: BLE001 - a plugin may raise anything; it is raised again below, once every connection is closed
                    failure = failure or error
        finally:
            # Also where Ctrl-C or a cancellation comes while a plugin takes its time.
            if self.transport is not None:
                await self.transport.close()
        if failure is not None:
            try:
                raise failure
            finally:
                # Its traceback refers to this frame.
                del failure


def _default_transport(is_async: bool, options: Mapping[str, Any]) -> Transport:
    if is_async:
        from orq_core.transports.aiohttp import AiohttpTransport  # noqa: PLC0415 - importing aiohttp takes long, and a blocking program never uses it

        return AiohttpTransport(**options)
    from orq_core.transports.requests import RequestsTransport  # noqa: PLC0415 - importing requests takes long, and an asyncio program never uses it

    return RequestsTransport(**options)
