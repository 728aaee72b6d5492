"""What a client and those derived from it share."""

from __future__ import annotations

import inspect
import threading
from typing import TYPE_CHECKING, Any

from attrs import define, field

from orq_core._hook_calls import HookFailedError, call, call_hook
from orq_core._http import Wire
from orq_core._let_end import let_end
from orq_core._origins import Origin
from orq_core._runtime import is_in_a_loop, run_alone
from orq_core.errors import ConfigurationError, OrqError, PluginError
from orq_core.models import make_converter

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    import pluggy
    from cattrs import Converter

    from orq_core._runtime import Asyncio, Blocking
    from orq_core.client import BaseClient
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

    def open(self, client: BaseClient) -> None:
        """Tell the plugins that their client is made; if one fails, those told before it close.

        Raises PluginError with the name of the one that failed.
        """
        opened: list[str] = []
        implementations = reversed(self.manager.hook.orq_client_opened.get_hookimpls())
        try:
            call_hook(implementations, {"client": client}, lambda name, _: opened.append(name))
        except HookFailedError as failed:
            self._abandon(client, opened)
            raise PluginError(
                f"plugin {failed.plugin!r}: orq_client_opened failed: {_said(failed.__cause__)}",
                plugin=failed.plugin,
            ) from failed.__cause__
        except BaseException:
            self._abandon(client, opened)
            raise

    def _abandon(self, client: BaseClient, opened: Collection[str]) -> None:
        """Close what was opened of a client that is never handed out."""
        self.closed = True
        closing = self._tell_closed(client, opened)
        if self.is_async and not is_in_a_loop():
            run_alone(closing)
        else:
            let_end(closing)

    async def _tell_closed(
        self, client: BaseClient, plugins: Collection[str] | None = None
    ) -> Exception | None:
        """Tell the plugins, or some of them, that their client closes; return the first failure."""
        failure: Exception | None = None
        # Pluggy keeps implementations in the reverse of their calling order.
        for implementation in self.manager.hook.orq_client_closed.get_hookimpls():
            if plugins is not None and implementation.plugin_name not in plugins:
                continue
            try:
                told = call(implementation, {"client": client})
                if inspect.isawaitable(told):
                    await told
            except Exception as error:  # noqa: BLE001 - a plugin may raise anything; kept and returned, so that the plugins after it are told too
                failure = failure or error
        try:
            return failure
        finally:
            # Its traceback refers to this frame.
            del failure

    async def close(self, client: BaseClient) -> None:
        """Interrupt pauses, tell the plugins, release the pool; once."""
        with self._lock:
            if self.closed:
                return
            self.closed = True
        self.runtime.interrupt()
        failure: Exception | None = None
        try:
            failure = await self._tell_closed(client)
        finally:
            # Also where Ctrl-C or a cancellation comes while a plugin takes its time.
            if self._wire is not None:
                self._wire.closed = True
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


def _said(cause: BaseException | None) -> str:
    """Quote errors of this library; the text of others may hold settings."""
    return str(cause) if isinstance(cause, OrqError) else type(cause).__name__
