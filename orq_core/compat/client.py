"""The seed SDK's client: one object for both modes, on top of `orq_core.Orq` and `AsyncOrq`."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

from orq_core.client import AsyncOrq
from orq_core.client import Orq as Client
from orq_core.compat.errors import sdk_error
from orq_core.errors import ConfigurationError, OrqError
from orq_core.models.base import UNSET, Unset
from orq_core.router import _seconds
from orq_core.streams import Stream

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import TracebackType

    from typing_extensions import Self

    from orq_core.call import Retries
    from orq_core.compat.enums import CreateAcceptEnum
    from orq_core.models import ChatCompletion, ChatCompletionRequest
    from orq_core.retry import RetryConfig
    from orq_core.streams import AsyncStream

# A stream of the seed's outlives its client, which is closed once nobody has it.
_CLIENTS: weakref.WeakKeyDictionary[Stream, Orq] = weakref.WeakKeyDictionary()
_REPLACED = {
    "client": "httpx is not used; give orq_core.Orq a requests session: session=",
    "async_client": "httpx is not used; give orq_core.AsyncOrq an aiohttp session: session=",
    "debug_logger": "use the loggers below logging.getLogger('orq')",
}


class Orq:
    """The seed SDK's client.

    ``api_key``: a string or a function; ``""`` counts as none, and ``ORQ_API_KEY`` is read.
    ``server_url``, in which ``url_params`` replace ``{name}``; default https://my.orq.ai.
    ``retry_config`` (none: nothing is repeated) and ``timeout_ms`` (for the whole call, its stream
    included) are defaults of every call. ``server_idx`` may be 0. ``client``, ``async_client`` and
    ``debug_logger`` have no counterpart: ConfigurationError says what to use.
    """

    def __init__(
        self,
        api_key: str | Callable[[], str | None] | None = None,
        server_idx: int | None = None,
        server_url: str | None = None,
        url_params: Mapping[str, str] | None = None,
        client: Any = None,
        async_client: Any = None,
        retry_config: RetryConfig | Unset | None = UNSET,
        timeout_ms: int | None = None,
        debug_logger: Any = None,
    ) -> None:
        """Check the arguments; nothing is sent."""
        given = {"client": client, "async_client": async_client, "debug_logger": debug_logger}
        for name, value in given.items():
            if value is not None:
                raise ConfigurationError(f"{name}: {_REPLACED[name]}")
        if server_idx not in {None, 0, -1}:
            raise ConfigurationError("server_idx: there is one server; write 0, or server_url=")
        for name, value in (url_params or {}).items() if server_url else ():
            server_url = (server_url or "").replace(f"{{{name}}}", str(value))
        self._arguments: dict[str, Any] = {
            "api_key": api_key or None,
            "server_url": server_url,
            "retries": None if isinstance(retry_config, Unset) else retry_config,
            "timeout": _seconds(timeout_ms),
        }
        self._client = Client(**self._arguments)
        self._async_client: AsyncOrq | None = None
        # The seed needs no closing; what it leaves to the garbage collector is still released.
        self._closing = weakref.finalize(self, self._client.close)

    @property
    def router(self) -> Router:
        """``s.router.chat.completions.create`` and ``create_async``."""
        return Router(self)

    @property
    def blocking(self) -> Client:
        """The client behind ``create``."""
        return self._client

    @property
    def asyncio(self) -> AsyncOrq:
        """The client behind ``create_async``; it survives its event loop."""
        if self._async_client is None:
            from orq_core.transports.aiohttp import AiohttpTransport  # noqa: PLC0415 - importing aiohttp takes long, and only the asyncio half of this client uses it

            # A transport of its own: the seed's client needs no closing, and is not warned about.
            self._async_client = AsyncOrq(**self._arguments, transport=AiohttpTransport())
        return self._async_client

    def close(self) -> None:
        """Release the blocking client's connections; those of a loop end with the loop."""
        self._closing()

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


class OrqCompletions:
    """The chat completions endpoint."""

    def __init__(self, sdk: Orq) -> None:
        """Belong to a client."""
        self._sdk = sdk

    def create(
        self,
        *,
        request: Mapping[str, Any] | ChatCompletionRequest,
        retries: Retries = UNSET,
        server_url: str | None = None,
        timeout_ms: int | None = None,
        accept_header_override: CreateAcceptEnum | None = None,
    ) -> ChatCompletion | Stream:
        """Ask for a completion; iterating the answer yields its events.

        Raises SDKError for a status other than 2xx and for an answer that can't be read, and this
        library's other errors: for an error that a 200 carries, APIStreamError.
        """
        try:
            answer = self._sdk.blocking.router.chat.completions.create(
                request=request,
                retries=retries,
                server_url=server_url,
                timeout_ms=timeout_ms,
                accept_header_override=_value(accept_header_override),
            )
        except OrqError as error:
            told = sdk_error(error)
            if told is error:
                raise
            raise told from error
        if isinstance(answer, Stream):
            _CLIENTS[answer] = self._sdk
        return answer

    async def create_async(
        self,
        *,
        request: Mapping[str, Any] | ChatCompletionRequest,
        retries: Retries = UNSET,
        server_url: str | None = None,
        timeout_ms: int | None = None,
        accept_header_override: CreateAcceptEnum | None = None,
    ) -> ChatCompletion | AsyncStream:
        """`create` under asyncio; a streamed answer is read with ``async for``."""
        try:
            return await self._sdk.asyncio.router.chat.completions.create(
                request=request,
                retries=retries,
                server_url=server_url,
                timeout_ms=timeout_ms,
                accept_header_override=_value(accept_header_override),
            )
        except OrqError as error:
            told = sdk_error(error)
            if told is error:
                raise
            raise told from error


class Chat:
    """``router.chat``."""

    def __init__(self, sdk: Orq) -> None:
        """Hold the endpoint."""
        self.completions = OrqCompletions(sdk)


class Router:
    """``s.router``; of the seed's endpoints, chat completions."""

    def __init__(self, sdk: Orq) -> None:
        """Build the path to the endpoint."""
        self.chat = Chat(sdk)


def _value(accept: CreateAcceptEnum | None) -> str | None:
    return None if accept is None else getattr(accept, "value", accept)
