"""`RateLimit`: the plugin."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attrs import Attribute, asdict, define, field

from orq_core import ConfigurationError, RateLimitError, hookimpl
from orq_plugins._metering import (
    Guard,
    Meter,
    checked_number,
    checked_options,
    checked_whole,
    consumed,
    digest,
    expected_tokens,
    never_arrived,
    prompt_tokens,
    scope_of,
)
from orq_plugins.rate_limit.stores import LimitStore, MemoryLimits, Rates
from orq_plugins.rate_limit.turnstile import Turnstile

if TYPE_CHECKING:
    from collections.abc import Generator

    from orq_core import AsyncOrq, Call, Items, Layer, Orq, Proceed
    from orq_core.models import ChatCompletionRequest
    from orq_plugins._metering import Estimate, OnFailure, Scope
    from orq_plugins.rate_limit.turnstile import Ticket


def _name(instance: object, attribute: Attribute[Any], value: object) -> None:
    del instance
    if value is not None and not isinstance(value, str):
        raise ConfigurationError(f"plugin_options: rate_limit: {attribute.name}: expected a string")


def _seconds(instance: object, attribute: Attribute[Any], value: object) -> None:
    del instance
    if value is not None:
        checked_number(f"plugin_options: rate_limit: {attribute.name}", value)


def _whole(instance: object, attribute: Attribute[Any], value: object) -> None:
    del instance
    checked_whole(f"plugin_options: rate_limit: {attribute.name}", value)


def _flag(instance: object, attribute: Attribute[Any], value: object) -> None:
    del instance
    if not isinstance(value, bool):
        raise ConfigurationError(f"plugin_options: rate_limit: {attribute.name}: expected a bool")


@define(frozen=True, kw_only=True)
class RateLimitOptions:
    """What one call may ask for: ``plugin_options={"rate_limit": {"max_wait": 5}}``.

    ``scope``: whose limit it takes part in, in place of the plugin's rule. ``max_wait``: seconds.
    ``tokens``: what it will take, when the caller knows better. ``bypass``: no limit at all.
    """

    scope: str | None = field(default=None, validator=_name)
    max_wait: float | None = field(default=None, validator=_seconds)
    tokens: int | None = field(default=None, validator=_whole)
    bypass: bool = field(default=False, validator=_flag)


class RateLimit:
    """Has calls wait, first come first served, so that a server's limits are kept.

    ``requests_per_minute``, ``tokens_per_minute``: no minute has more of them; None for no limit
    but the one that the server's headers tell. ``concurrency``: how many are in flight at once.
    ``scope``: which calls share a limit: "model", "key" (the API key), "all", "metadata.<name>", or
    a function of the call and its request that returns a name. ``max_wait``: seconds that a call
    may wait; the call's own limit holds besides. ``store``: default a `MemoryLimits` of its own;
    `RedisLimits` for a fleet. ``on_store_failure``: "open" lets calls go on when the store fails,
    "closed" raises PluginError. ``store_timeout``: seconds it may take under asyncio. ``estimate``:
    counts a prompt's tokens; default by its length. ``answer_tokens``: what an answer is taken to
    need when the request sets no limit. What a call really took replaces the estimate at its end.

    Every attempt counts, repeats too. A 429 with ``Retry-After`` has all calls of its scope wait,
    and ``x-ratelimit-*`` headers of any answer are kept to. Notes ``scope``, ``waited`` (seconds),
    ``expected`` and ``tokens`` in ``info.notes["rate_limit"]``.

    A call that would wait too long raises RateLimitWaitError; nothing was sent. Raises
    ConfigurationError for an argument that can't be used.
    """

    name = "rate_limit"

    def __init__(
        self,
        *,
        requests_per_minute: int | None = None,
        tokens_per_minute: int | None = None,
        concurrency: int | None = None,
        scope: Scope = "model",
        max_wait: float = 60.0,
        store: LimitStore | None = None,
        on_store_failure: OnFailure = "open",
        store_timeout: float = 0.5,
        estimate: Estimate = prompt_tokens,
        answer_tokens: int = 512,
    ) -> None:
        """Check the arguments; no connection is made."""
        self._rates = Rates(
            checked_whole("requests_per_minute", requests_per_minute),
            checked_whole("tokens_per_minute", tokens_per_minute),
            checked_whole("concurrency", concurrency),
        )
        self.store: LimitStore = MemoryLimits() if store is None else store
        seconds = checked_number("store_timeout", store_timeout, positive=True)
        self.guard = Guard(self.name, self.store, on_store_failure, seconds)
        self._scope_of = scope_of(scope)
        self._max_wait = checked_number("max_wait", max_wait)
        self._estimate = estimate
        self._answer_tokens = checked_whole("answer_tokens", answer_tokens) or 0
        self._turnstile = Turnstile(self.store, self.guard, self._rates)

    @hookimpl(wrapper=True)
    def orq_wrap_create(self, call: Call) -> Generator[None, list[Layer], list[Layer]]:
        """Stand inside of the repeats, since each attempt is a request to the server."""
        layers = yield
        options = checked_options(RateLimitOptions, self.name, call.options_for(self.name))
        return layers if options.bypass else [*layers, self.around]

    @hookimpl
    def orq_explain(self, call: Call, request: ChatCompletionRequest) -> dict[str, Any]:
        """Tell what a call would ask for; it takes no turn."""
        if checked_options(RateLimitOptions, self.name, call.options_for(self.name)).bypass:
            return {"bypass": True}
        scope, expected, max_wait = self._wanted(call, request, self._estimate(request))
        limits = {name: value for name, value in asdict(self._rates).items() if value is not None}
        return {"scope": scope, "expected_tokens": expected, "pauses": max_wait, "limits": limits}

    @hookimpl
    async def orq_client_closed(self, client: Orq | AsyncOrq) -> None:
        """Release what the store holds open; it opens again when it is asked again."""
        self._turnstile.look()
        await self.guard.close(client.runtime, self.store.close)

    async def around(self, call: Call, request: ChatCompletionRequest, proceed: Proceed) -> Items:
        """Wait, pass everything on, and say what it took."""
        prompt = self._estimate(request)
        scope, expected, max_wait = self._wanted(call, request, prompt)
        begun = call.info.attempts_begun
        ticket = await self._turnstile.enter(call, scope, digest(scope), expected, max_wait)
        before: float = call.info.notes.get(self.name, {}).get("waited", 0.0)
        call.note(self.name, scope=scope, waited=before + ticket.waited, expected=expected)
        meter, heard, error = Meter(prompt), False, None
        try:
            async for item in proceed(request):
                if not heard:
                    heard = True
                    self._turnstile.hear(call, ticket, call.info.headers)
                meter.item(item)
                yield item
        except BaseException as caught:
            error = caught
            raise
        finally:
            await self._end(call, ticket, meter, error, begun, heard=heard)
            # The traceback refers to this frame: without this, a cycle keeps the stream.
            error = None

    def _wanted(
        self, call: Call, request: ChatCompletionRequest, prompt: int
    ) -> tuple[str, int, float]:
        options = checked_options(RateLimitOptions, self.name, call.options_for(self.name))
        scope = self._scope_of(call, request) if options.scope is None else options.scope
        expected = options.tokens or prompt + expected_tokens(request, self._answer_tokens)
        return scope, expected, self._max_wait if options.max_wait is None else options.max_wait

    async def _end(
        self,
        call: Call,
        ticket: Ticket,
        meter: Meter,
        error: BaseException | None,
        begun: int,
        *,
        heard: bool,
    ) -> None:
        tokens = consumed(call, meter, error, begun).total
        requests = -1 if never_arrived(call, error, begun) else 0
        call.note(self.name, tokens=tokens)
        try:
            # Heard again at the end of a stream, they would pass for what the server says by then.
            if requests == 0 and error is not None and not heard:
                self._turnstile.hear(call, ticket, call.info.headers)
            if isinstance(error, RateLimitError) and error.retry_after:
                await self._turnstile.pause(call, ticket, error.retry_after)
        finally:
            more = tokens - ticket.want.tokens
            await self._turnstile.leave(call, ticket, requests=requests, tokens=more)
            # It may be an exception's frame that refers to this one.
            del error
