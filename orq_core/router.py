"""``client.router.chat.completions.create``, once, with a face for each mode."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, overload

from orq_core._feed import Feed
from orq_core._http import Sender
from orq_core._pipeline import Exchange
from orq_core._runtime import drive
from orq_core.call import Call
from orq_core.config import endpoint, merged_options, resolve_key
from orq_core.errors import ConfigurationError
from orq_core.limits import Limits, Timeout
from orq_core.models import ChatCompletion, build_request
from orq_core.models.base import UNSET
from orq_core.streams import AsyncStream, Stream

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from typing_extensions import Unpack

    from orq_core._core import Core
    from orq_core.call import CallOptions, Layer, Retries
    from orq_core.config import Config
    from orq_core.explain.explanation import Explanation
    from orq_core.models import ChatCompletionRequest
    from orq_core.parameters import BodyFields, RequestFields


_MOST_MS = 10**12


class Completions:
    """The endpoint's logic, the same in both modes."""

    def __init__(self, config: Config, core: Core) -> None:
        """Bind a client's settings and what its clients share."""
        self._config = config
        self._core = core

    async def _create(self, **fields: Any) -> ChatCompletion | Feed:
        core = self._core
        wire = core.wire
        call = self._call(**fields)
        wrap = core.manager.hook.orq_wrap_create
        # Pluggy takes its time even where nobody listens.
        layers: Sequence[Layer] = wrap(call=call) if wrap.get_hookimpls() else ()
        self._check_retries(call.options.retries)
        sender = Sender(wire, await resolve_key(self._config.api_key, call.url))
        call._key = sender.key  # noqa: SLF001 - the key is hidden from plugins, which get a digest of it; this package sets it
        source: Any = sender.items if layers else sender.batches
        feed = Feed(call, Exchange(call, layers, source), sender.abort, batched=not layers)
        if not call.stream:
            return await feed.whole()
        await feed.prime()
        return feed

    async def explain(self, request: Any = None, **fields: Any) -> Explanation:
        """Tell what ``create`` would do; see `Orq.explain`."""
        from orq_core.explain.dry import explain  # noqa: PLC0415 - a program that never explains a call does not load what explains it

        call = self._call(request=request, **fields)
        call.dry_run = True
        self._check_retries(call.options.retries)
        return await explain(self._core, call, self._config.api_key)

    def _call(
        self,
        *,
        request: Mapping[str, Any] | ChatCompletionRequest | None = None,
        retries: Retries = UNSET,
        server_url: str | None = None,
        timeout_ms: float | None = None,
        options: CallOptions | None = None,
        http_headers: Mapping[str, str] | None = None,
        accept_header_override: str | None = None,
        extra_body: Mapping[str, Any] | None = None,
        plugin_options: Mapping[str, Mapping[str, Any]] | None = None,
        **fields: Any,
    ) -> Call:
        """Check what was given and make a call of it; its clock starts now."""
        core = self._core
        body = build_request(core.converter, request, fields, extra_body)
        merged = merged_options(
            self._config.options,
            options,
            retries=retries,
            server_url=server_url,
            timeout=_seconds(timeout_ms),
            http_headers=http_headers,
            accept_header_override=accept_header_override,
            plugin_options=plugin_options,
        )
        timeout = Timeout.of(merged.timeout)
        url = self._config.url if merged.server_url is None else endpoint(merged.server_url)
        return Call(
            body,
            stream=body.stream is True,
            url=url,
            options=merged,
            runtime=core.runtime,
            limits=Limits.start(timeout, core.runtime.now),
        )

    def _check_retries(self, retries: Retries) -> None:
        if retries is UNSET or not retries or self._core.manager.has_plugin("retries"):
            return
        raise ConfigurationError(
            "retries: nothing would repeat a call, because the plugin 'retries' is not loaded; "
            "leave discover=True and ORQ_PLUGINS without no:retries, or pass "
            "plugins=[orq_plugins.Retries()]",
        )


def _seconds(timeout_ms: object) -> float | None:
    if timeout_ms is None:
        return None
    if isinstance(timeout_ms, (int, float)) and not isinstance(timeout_ms, bool) and timeout_ms > 0:
        # Larger ones are refused by `Timeout`, and may be too large for a division.
        return min(timeout_ms, _MOST_MS) / 1000
    raise ConfigurationError("timeout_ms: expected a positive number of milliseconds")


class BlockingCompletions(Completions):
    """``create`` for `Orq`."""

    @overload
    def create(self, *, stream: Literal[True], **fields: Unpack[BodyFields]) -> Stream: ...
    @overload
    def create(
        self, *, stream: Literal[False] | None = ..., **fields: Unpack[BodyFields]
    ) -> ChatCompletion: ...
    @overload
    def create(
        self, *, stream: bool | None = ..., **fields: Unpack[BodyFields]
    ) -> ChatCompletion | Stream: ...
    @overload
    def create(self, **fields: Unpack[RequestFields]) -> ChatCompletion | Stream: ...
    def create(self, **fields: Any) -> ChatCompletion | Stream:
        """Ask for a completion; see `orq_core.parameters.BodyFields` for the arguments.

        Returns a `ChatCompletion`, or a `Stream` of chunks with ``stream=True``. Connection and
        status errors, and repeats, happen before it returns.

        Raises ConfigurationError, RequestError, APIConnectionError, APITimeoutError,
        APIStatusError, StreamError, ResponseDecodeError.
        """
        answer = drive(self._create(**fields))
        return Stream(answer) if isinstance(answer, Feed) else answer


class AsyncCompletions(Completions):
    """``create`` for `AsyncOrq`."""

    @overload
    async def create(
        self, *, stream: Literal[True], **fields: Unpack[BodyFields]
    ) -> AsyncStream: ...
    @overload
    async def create(
        self, *, stream: Literal[False] | None = ..., **fields: Unpack[BodyFields]
    ) -> ChatCompletion: ...
    @overload
    async def create(
        self, *, stream: bool | None = ..., **fields: Unpack[BodyFields]
    ) -> ChatCompletion | AsyncStream: ...
    @overload
    async def create(self, **fields: Unpack[RequestFields]) -> ChatCompletion | AsyncStream: ...
    async def create(self, **fields: Any) -> ChatCompletion | AsyncStream:
        """Ask for a completion; `BlockingCompletions.create` for asyncio."""
        answer = await self._create(**fields)
        return AsyncStream(answer) if isinstance(answer, Feed) else answer


class Chat:
    """``router.chat``."""

    def __init__(self, completions: BlockingCompletions) -> None:
        """Hold the endpoint."""
        self.completions = completions


class AsyncChat:
    """``router.chat`` for asyncio."""

    def __init__(self, completions: AsyncCompletions) -> None:
        """Hold the endpoint."""
        self.completions = completions


class Router:
    """``client.router``."""

    def __init__(self, config: Config, core: Core) -> None:
        """Build the path to the endpoint."""
        self.chat = Chat(BlockingCompletions(config, core))


class AsyncRouter:
    """``client.router`` for asyncio."""

    def __init__(self, config: Config, core: Core) -> None:
        """Build the path to the endpoint."""
        self.chat = AsyncChat(AsyncCompletions(config, core))
