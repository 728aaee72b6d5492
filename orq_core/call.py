"""What a plugin sees of one ``create``: the call, its options, and what came of it."""

from __future__ import annotations

import hashlib
import hmac
import os
import re
from collections.abc import AsyncGenerator, Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeVar, Union, cast

from attrs import define, field

from orq_core.models.base import UNSET, Unset

if TYPE_CHECKING:
    from orq_core._runtime import Runtime
    from orq_core.limits import Limits, Timeout
    from orq_core.models import ChatCompletion, ChatCompletionChunk, ChatCompletionRequest
    from orq_core.retry import RetryConfig, RetryPolicy

T = TypeVar("T")

Item = Union["ChatCompletion", "ChatCompletionChunk"]
"""One item of an answer: the whole completion, or a chunk of a stream."""

Items = AsyncGenerator[Item, None]
"""What a layer is: an async generator of items."""


class Proceed(Protocol):
    """Opens the next layer inwards; may be called again, as a retry does."""

    def __call__(self, request: ChatCompletionRequest, /) -> AsyncGenerator[Item, None]:
        """Return the items of the layers within; closed with the call at the latest."""
        ...

    def detached(self, request: ChatCompletionRequest, /, call: Call | None = None) -> Detached:
        """Open the layers within with a life of their own, for items that several calls share.

        ``call``: what they are handed as the call, default this one; another one, as
        ``evolve(call, info=CallInfo(), origin=call)``, keeps what they note of it from the caller.
        """
        ...


class Detached(Protocol):
    """Items that don't end with the call that opened them: whoever detached them closes them."""

    @property
    def items(self) -> AsyncGenerator[Item, None]:
        """The items; may be pulled by any thread or task, by one at a time."""
        ...

    async def close(self) -> None:
        """Release everything; idempotent."""
        ...


Layer = Callable[["Call", "ChatCompletionRequest", Proceed], Items]
"""A plugin's wrapper around one call."""

OnTruncation = Literal["raise", "warn", "accept"]
Retries = Union["RetryConfig", "RetryPolicy", int, None, Unset]

_NOTHING: Mapping[str, Any] = MappingProxyType({})
# Headers by which servers know their callers beside Authorization.
_CREDENTIALS = ("api-key", "cookie", "x-api-key", "x-goog-api-key")


@define(frozen=True)
class Attempt:
    """One HTTP exchange of a call.

    ``seconds`` runs from its start to its end, or to its failure; ``error`` is a class name.
    """

    number: int
    seconds: float
    status: int | None = None
    request_id: str | None = None
    error: str | None = None


# ``dict[str, str]`` would do as a factory, and takes five times as long. A constant one that nobody
# may change could be neither pickled nor copied.
def _no_headers() -> dict[str, str]:
    return {}


def _no_notes() -> dict[str, dict[str, Any]]:
    return {}


@define
class CallInfo:
    """What is known of a call beside its answer; grows while a stream is read.

    ``elapsed`` and ``time_to_first_event`` are seconds from the start of ``create``; ``headers``
    are those of the last attempt's answer, names in lower case; ``bytes_received`` counts its body,
    decompressed, and ``waited`` the seconds spent waiting for servers and in pauses; ``notes`` is
    what plugins wrote down, keyed by plugin name. ``attempts`` are the HTTP exchanges that are
    over, ``attempts_begun`` counts one that is under way as well.
    """

    call_id: str = field(factory=lambda: os.urandom(16).hex())
    status: int | None = None
    headers: dict[str, str] = field(factory=_no_headers, repr=False)
    request_id: str | None = None
    trace_id: str | None = None
    attempts: tuple[Attempt, ...] = ()
    attempts_begun: int = 0
    elapsed: float | None = None
    time_to_first_event: float | None = None
    bytes_received: int = 0
    waited: float = 0.0
    notes: dict[str, dict[str, Any]] = field(factory=_no_notes)


def _names(plugin_options: object) -> str:
    """Name plugins: their settings may be anything, secrets too."""
    if not isinstance(plugin_options, Mapping):
        return repr(type(plugin_options))
    return repr([*cast("Mapping[str, object]", plugin_options)])


def _place(url: str | None) -> str:
    """Show a URL without its user info and query, where gateways have keys."""
    if url is None:
        return "None"
    return repr(re.split("[?#]", str(url), maxsplit=1)[0].rpartition("@")[2])


@define(frozen=True)
class CallOptions:
    """Client-side settings of one call; what is left unset falls back to the client's.

    ``timeout``: a `Timeout`, or seconds for all four limits. ``retries``: see `Orq`.
    ``on_truncation``: what an answer does that ends with neither ``finish_reason`` nor ``[DONE]``.
    ``plugin_options``: settings for plugins, keyed by plugin name. The repr shows no header, no
    plugin's settings and no query of a URL.
    """

    timeout: Timeout | float | None = None
    retries: Retries = UNSET
    server_url: str | None = field(default=None, repr=_place)
    http_headers: Mapping[str, str] = field(factory=_no_headers, repr=False)
    accept_header_override: str | None = None
    on_truncation: OnTruncation | None = None
    plugin_options: Mapping[str, Mapping[str, Any]] = field(factory=_no_notes, repr=_names)


@define(eq=False)
class Call:
    """One ``create`` on its way; shared by all layers of this call and by no other.

    ``request`` is what the caller asked for; what really goes out is what the innermost layer is
    handed. ``url`` has no user info. ``dry_run``: `Orq.explain` asks what would happen;
    nothing is sent, and nothing may be stored, counted or logged. ``origin``: the call for which
    this one fetches something in the background, None for one of a caller's own.
    """

    request: ChatCompletionRequest = field(repr=False)
    stream: bool
    url: str = field(repr=_place)
    options: CallOptions
    runtime: Runtime = field(repr=False)
    limits: Limits = field(repr=False)
    info: CallInfo = field(factory=CallInfo)
    dry_run: bool = False
    origin: Call | None = field(default=None, repr=False)
    _key: str | None = field(default=None, alias="_key", repr=False)

    def tenant(self, secret: bytes) -> str:
        """Return a digest of the call's credentials, keyed by ``secret``.

        It tells callers apart and reveals nothing of their keys.
        """
        given = {name.lower(): value for name, value in self.options.http_headers.items()}
        shown = [given.get("authorization") or self._key or ""]
        shown += [f"{name}: {given[name]}" for name in _CREDENTIALS if name in given]
        return hmac.new(secret, "\n".join(shown).encode(), hashlib.sha256).hexdigest()

    @property
    def id(self) -> str:
        """A random name for this call, the same on all its attempts."""
        return self.info.call_id

    def options_for(self, plugin: str) -> Mapping[str, Any]:
        """Return the caller's ``plugin_options`` for a plugin; empty when none were given."""
        return self.options.plugin_options.get(plugin, _NOTHING)

    def note(self, plugin: str, **values: Any) -> None:
        """Write something down for the caller, in ``info.notes[plugin]``."""
        self.info.notes.setdefault(plugin, {}).update(values)

    def now(self) -> float:
        """Return seconds on the call's monotonic clock."""
        return self.runtime.now()

    async def sleep(self, seconds: float) -> None:
        """Pause without blocking an event loop; ended by cancellation and by ``close``."""
        began = self.now()
        try:
            await self.runtime.sleep(seconds)
        finally:
            self.info.waited += self.now() - began

    async def run(self, function: Callable[..., T], *args: Any) -> T:
        """Call a function that does blocking I/O: inline, or in a thread under asyncio."""
        return await self.runtime.run(function, *args)
