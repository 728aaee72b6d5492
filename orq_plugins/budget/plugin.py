"""`Budget`: the plugin."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from attrs import Attribute, define, field

from orq_core import ConfigurationError, hookimpl
from orq_plugins._metering import (
    Guard,
    Meter,
    Tokens,
    checked_number,
    checked_options,
    checked_whole,
    consumed,
    expected_tokens,
    model_of,
    prompt_tokens,
    scope_of,
)
from orq_plugins.budget.limit import BudgetLimit
from orq_plugins.budget.prices import NANO, PriceList
from orq_plugins.budget.purse import Purse
from orq_plugins.budget.stores import BudgetStore, MemoryBudgets, Spent

if TYPE_CHECKING:
    from collections.abc import Generator

    from orq_core import AsyncOrq, Call, Items, Layer, Orq, Proceed
    from orq_core.models import ChatCompletionRequest
    from orq_plugins._metering import Estimate, OnFailure, Scope
    from orq_plugins.budget.prices import Price, Prices
    from orq_plugins.budget.purse import BudgetWarning

LimitsOf = Callable[[str], Sequence[BudgetLimit]]
"""A function of the scope that returns its budgets; none of them lets all calls go on."""

_log = logging.getLogger("orq")


def _name(instance: object, attribute: Attribute[Any], value: object) -> None:
    del instance
    if value is not None and not isinstance(value, str):
        raise ConfigurationError(f"plugin_options: budget: {attribute.name}: expected a string")


@define(frozen=True, kw_only=True)
class BudgetOptions:
    """What one call may ask for: ``plugin_options={"budget": {"scope": "team=red"}}``."""

    scope: str | None = field(default=None, validator=_name)


class Budget:
    """Refuses calls that would cost more than a budget has left, before they are sent.

    ``limits``: a `BudgetLimit`, several, or a function of the scope that returns some. ``scope``:
    whose budget it is: "all", "key" (the API key), "model", "metadata.<name>", or a function of the
    call and its request that returns a name. ``prices``: by model, see `Prices`: a tuple of what a
    million tokens of prompts, of answers and, if it differs, of cached prompts cost. A cost that
    the answer itself tells (``usage.cost``) goes before them; without ``prices`` it is the only
    one. With ``prices``, a model that has none is a ConfigurationError in the call.

    ``on_soft``: called with a `BudgetWarning` when a budget passes its soft limit, once for each
    period. ``store``: default a `MemoryBudgets` of its own; `RedisBudgets` for a fleet.
    ``on_store_failure``: "open" lets calls go on when the store fails, "closed" raises PluginError.
    ``store_timeout``: seconds it may take under asyncio. ``estimate``: counts a prompt's tokens;
    default by its length. ``answer_tokens``: what an answer is taken to need when the request sets
    no limit. ``clock``: seconds since 1970.

    Every attempt reserves what it may take, and at its end that is replaced by what it took: by the
    answer's usage, or by an estimate of what was sent and has arrived. Notes ``scope``, ``tokens``,
    ``cost``, ``source`` and ``warnings`` in ``info.notes["budget"]``.

    A call that does not fit raises BudgetExceededError; nothing was sent. Raises ConfigurationError
    for an argument that can't be used.
    """

    name = "budget"

    def __init__(
        self,
        limits: BudgetLimit | Sequence[BudgetLimit] | LimitsOf,
        *,
        scope: Scope = "all",
        prices: Prices | None = None,
        on_soft: Callable[[BudgetWarning], object] | None = None,
        store: BudgetStore | None = None,
        on_store_failure: OnFailure = "open",
        store_timeout: float = 0.5,
        estimate: Estimate = prompt_tokens,
        answer_tokens: int = 512,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Check the arguments; no connection is made."""
        self._limits_of = limits if callable(limits) else _always(limits)
        self.store: BudgetStore = MemoryBudgets() if store is None else store
        seconds = checked_number("store_timeout", store_timeout, positive=True)
        self.guard = Guard(self.name, self.store, on_store_failure, seconds)
        self._scope_of = scope_of(scope)
        self._prices = None if prices is None else PriceList(prices)
        self._estimate = estimate
        self._answer_tokens = checked_whole("answer_tokens", answer_tokens) or 0
        self._purse = Purse(self.name, self.store, self.guard, clock, on_soft)
        self._has_missed = False

    @hookimpl(wrapper=True, trylast=True)
    def orq_wrap_create(self, call: Call) -> Generator[None, list[Layer], list[Layer]]:
        """Stand inside of the repeats, since each attempt may cost, and outside of `RateLimit`."""
        layers = yield
        checked_options(BudgetOptions, self.name, call.options_for(self.name))
        return [*layers, self.around]

    @hookimpl
    async def orq_explain(self, call: Call, request: ChatCompletionRequest) -> dict[str, Any]:
        """Tell what a call may take and what is left; raises BudgetExceededError if it's less."""
        scope, limits = self._whose(call, request)
        price = self._price(model_of(request), limits)
        expected = self._expected(request, self._estimate(request), price)
        spent = await self._purse.look(call, scope, limits, expected)
        budgets = [
            {
                "period": limit.period,
                "tokens": limit.tokens,
                "cost": limit.cost,
                "spent_tokens": None if each is None else each.tokens,
                "spent_cost": None if each is None else each.nano / NANO,
            }
            for limit, each in spent
        ]
        told = {"expected_tokens": expected.tokens, "expected_cost": expected.nano / NANO}
        return {"scope": scope, **told, "budgets": budgets}

    @hookimpl
    async def orq_client_closed(self, client: Orq | AsyncOrq) -> None:
        """Release what the store holds open; it opens again when it is asked again."""
        await self.guard.close(client.runtime, self.store.close)

    async def around(self, call: Call, request: ChatCompletionRequest, proceed: Proceed) -> Items:
        """Reserve, pass everything on, and settle."""
        scope, limits = self._whose(call, request)
        price = self._price(model_of(request), limits)
        prompt = self._estimate(request)
        begun = call.info.attempts_begun
        expected = self._expected(request, prompt, price)
        reserved = await self._purse.reserve(call, scope, limits, expected)
        meter, error = Meter(prompt), None
        try:
            async for item in proceed(request):
                meter.item(item)
                yield item
        except BaseException as caught:
            error = caught
            raise
        finally:
            took = consumed(call, meter, error, begun)
            # The traceback refers to this frame: without this, a cycle keeps the stream.
            error = None
            spent = Spent(took.total, self._cost(took, price, limits))
            self._note(call, scope, took, spent)
            if reserved is not None:
                await self._purse.settle(call, reserved, spent)

    def _whose(
        self, call: Call, request: ChatCompletionRequest
    ) -> tuple[str, Sequence[BudgetLimit]]:
        options = checked_options(BudgetOptions, self.name, call.options_for(self.name))
        scope = self._scope_of(call, request) if options.scope is None else options.scope
        return scope, _checked(tuple(self._limits_of(scope)))

    def _expected(self, request: ChatCompletionRequest, prompt: int, price: Price | None) -> Spent:
        answer = expected_tokens(request, self._answer_tokens)
        expected = Tokens(prompt, answer, total=prompt + answer)
        return Spent(expected.total, 0 if price is None else price.nano(expected))

    def _price(self, model: str, limits: Sequence[BudgetLimit]) -> Price | None:
        price = None if self._prices is None else self._prices.of(model)
        if price is None and self._prices is not None and _in_money(limits):
            raise ConfigurationError(
                f"budget: prices: none for the model {model!r}; give it one, or one for '*'"
            )
        return price

    def _cost(self, took: Tokens, price: Price | None, limits: Sequence[BudgetLimit]) -> int:
        told = None if took.cost is None else round(took.cost * NANO)
        if price is not None and (told is None or took.is_cut):
            return max(told or 0, price.nano(took))
        if told is not None:
            return told
        if took.source != "none" and _in_money(limits) and not self._has_missed:
            self._has_missed = True
            _log.warning(
                "budget: an answer told no cost and there are no prices, so its cost counts as "
                "nothing; this is not said again"
            )
        return 0

    def _note(self, call: Call, scope: str, took: Tokens, spent: Spent) -> None:
        before = call.info.notes.get(self.name, {})
        call.note(
            self.name,
            scope=scope,
            tokens=before.get("tokens", 0) + spent.tokens,
            cost=before.get("cost", 0.0) + spent.nano / NANO,
            source=took.source,
        )


def _always(limits: BudgetLimit | Sequence[BudgetLimit]) -> LimitsOf:
    given = _checked((limits,) if isinstance(limits, BudgetLimit) else tuple(limits))
    if not given:
        raise ConfigurationError("limits: expected a BudgetLimit, or several")

    def always(scope: str) -> Sequence[BudgetLimit]:
        del scope
        return given

    return always


def _checked(limits: Sequence[Any]) -> Sequence[BudgetLimit]:
    if not all(isinstance(each, BudgetLimit) for each in limits):
        raise ConfigurationError("limits: expected a BudgetLimit, or several")
    if len({each.period for each in limits}) < len(limits):
        raise ConfigurationError("limits: two for one period; a BudgetLimit may have both units")
    return limits


def _in_money(limits: Sequence[BudgetLimit]) -> bool:
    return any(limit.cost is not None for limit in limits)
