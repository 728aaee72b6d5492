"""`Orq` and `AsyncOrq`: two faces of one client."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from orq_core._core import Core
from orq_core._runtime import Asyncio, Blocking, drive
from orq_core.call import CallOptions, OnTruncation, Retries
from orq_core.config import ApiKey, configure, merged_options
from orq_core.errors import ConfigurationError
from orq_core.manager import plugin_manager
from orq_core.models.base import UNSET, Unset
from orq_core.router import AsyncRouter, Router

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from types import TracebackType

    from typing_extensions import Self, Unpack

    from orq_core._runtime import Runtime
    from orq_core.explain import Explanation
    from orq_core.limits import Timeout
    from orq_core.models import ChatCompletionRequest
    from orq_core.parameters import BodyFields
    from orq_core.transports import Transport


class BaseClient:
    """Everything but waiting. See `Orq` for the arguments."""

    _is_async: bool

    def __init__(
        self,
        api_key: ApiKey = None,
        server_url: str | None = None,
        timeout: Timeout | float | None = None,
        retries: Retries = UNSET,
        plugins: Iterable[object] = (),
        discover: bool = True,
        headers: Mapping[str, str] | None = None,
        transport: Transport | None = None,
        *,
        on_truncation: OnTruncation = "raise",
        plugin_options: Mapping[str, Mapping[str, Any]] | None = None,
        session: Any = None,
        proxy: str | None = None,
        verify: Any = None,
        cert: Any = None,
        max_connections: int | None = None,
    ) -> None:
        """Check the arguments; nothing is sent and no connection is made."""
        if transport is not None and not hasattr(transport, "is_async"):
            raise ConfigurationError(
                f"transport: expected a Transport, got {type(transport).__name__}",
            )
        if transport is not None and transport.is_async is not self._is_async:
            raise ConfigurationError(
                f"transport: {type(transport).__name__} is "
                f"{'an asyncio' if transport.is_async else 'a blocking'} transport and "
                f"{type(self).__name__} needs the other kind",
            )
        transport_options = {
            "session": session,
            "proxy": proxy,
            "verify": verify,
            "cert": cert,
            "max_connections": max_connections,
        }
        transport_options = {k: v for k, v in transport_options.items() if v is not None}
        if transport is not None and transport_options:
            raise ConfigurationError(
                f"{', '.join(transport_options)}: belongs to the transport when one is given; "
                "pass it to the transport's constructor",
            )
        options = merged_options(
            CallOptions(),
            timeout=timeout,
            retries=retries,
            on_truncation=on_truncation,
            plugin_options=plugin_options,
            http_headers=headers,
        )
        self._config = configure(api_key=api_key, server_url=server_url, options=options)
        self._core = Core(
            self._is_async,
            plugin_manager(plugins, discover=discover),
            Asyncio() if self._is_async else Blocking(),
            transport,
            transport_options,
        )
        self._owner = True
        self._core.open(self)

    @property
    def plugins(self) -> list[tuple[str, object]]:
        """The plugins by name, outermost first."""
        return list(reversed(self._core.manager.list_name_plugin()))

    @property
    def runtime(self) -> Runtime:
        """How this client waits and runs what blocks; for plugins."""
        return self._core.runtime

    def with_options(
        self,
        *,
        api_key: ApiKey = None,
        server_url: str | None = None,
        timeout: Timeout | float | None = None,
        retries: Retries = UNSET,
        headers: Mapping[str, str] | None = None,
        on_truncation: OnTruncation | None = None,
        plugin_options: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> Self:
        """Derive a client with other settings that shares this one's pool and plugins.

        Only the original releases them; closing a derived client does nothing.
        """
        derived = copy.copy(self)
        derived._owner = False  # noqa: SLF001 - of this very class: `derived` is the copy of `self` that is being made here
        options = merged_options(
            self._config.options,
            timeout=timeout,
            retries=retries,
            http_headers=headers,
            on_truncation=on_truncation,
            plugin_options=plugin_options,
        )
        derived._config = configure(  # noqa: SLF001 - of this very class: `derived` is the copy of `self` that is being made here
            api_key=self._config.api_key if api_key is None else api_key,
            server_url=self._config.url if server_url is None else server_url,
            options=options,
        )
        return derived

    def __repr__(self) -> str:
        """Name the server; no key and no header."""
        return f"<{type(self).__name__} {self._config.url.partition('?')[0]}>"

    async def _close(self) -> None:
        if self._owner:
            await self._core.close(self)


class Orq(BaseClient):
    """The blocking client, usable from any number of threads.

    ``api_key``: the key, or a function that returns it, asked once per call; default
    ``ORQ_API_KEY``. ``server_url``: default ``ORQ_SERVER_URL``, then https://my.orq.ai.
    ``timeout``: a `Timeout`, or seconds within which a whole call must be over. ``retries``:
    None or 0 for one attempt, a number of repeats, a `RetryPolicy` or the seed SDK's
    `RetryConfig`. ``plugins``: yours, outermost first; ``discover``: whether installed ones are
    found by entry point. ``headers``: sent with every request. ``transport``: your own, in place
    of `RequestsTransport`, to which ``session``, ``proxy``, ``verify``, ``cert`` and
    ``max_connections`` are passed. ``on_truncation``: what a stream does that ends unfinished.

    Raises ConfigurationError for an argument that can't be used, PluginError for a plugin.
    """

    _is_async = False

    @property
    def router(self) -> Router:
        """``client.router.chat.completions.create``."""
        return Router(self._config, self._core)

    def explain(
        self,
        request: Mapping[str, Any] | ChatCompletionRequest | None = None,
        *,
        stream: bool | Unset | None = UNSET,
        **fields: Unpack[BodyFields],
    ) -> Explanation:
        """Tell what ``create`` would do with these arguments; nothing is sent, stored or logged.

        A key that is a function is asked for. Raises ConfigurationError and RequestError for
        arguments that ``create`` would refuse.
        """
        return drive(self.router.chat.completions.explain(request, stream=stream, **fields))

    def close(self) -> None:
        """Release every connection and end calls of other threads; idempotent."""
        drive(self._close())

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close."""
        self.close()


class AsyncOrq(BaseClient):
    """The asyncio client, with the arguments of `Orq`; usable on several event loops in turn.

    ``api_key`` may also be an async function.
    """

    _is_async = True

    @property
    def router(self) -> AsyncRouter:
        """``await client.router.chat.completions.create``."""
        return AsyncRouter(self._config, self._core)

    async def explain(
        self,
        request: Mapping[str, Any] | ChatCompletionRequest | None = None,
        *,
        stream: bool | Unset | None = UNSET,
        **fields: Unpack[BodyFields],
    ) -> Explanation:
        """Tell what ``create`` would do with these arguments; `Orq.explain` for asyncio."""
        return await self.router.chat.completions.explain(request, stream=stream, **fields)

    async def aclose(self) -> None:
        """Release every connection and end calls of other tasks; idempotent."""
        await self._close()

    close = aclose

    async def __aenter__(self) -> Self:
        """Return itself."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close."""
        await self.aclose()
