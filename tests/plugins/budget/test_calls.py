"""What calls reserve, settle and are refused, in both modes."""

from __future__ import annotations

import asyncio
import copy
import hmac
import logging
import pickle
import time
from datetime import datetime, timezone
from typing import Any

import pytest
from attrs import define

from orq_core import APIConnectionError, ConfigurationError, OrqError, PluginError, RetryPolicy
from orq_core.testing import DONE, Mode, Raise, Stall, chunk, completion, reply, stream
from orq_plugins import (
    Budget,
    BudgetExceededError,
    BudgetLimit,
    Caching,
    MemoryBudgets,
    Price,
    RateLimit,
    RateLimitWaitError,
    Redaction,
    RedisLimits,
    Retries,
)
from orq_plugins.redaction import ContentBlockedError
from tests.plugins.talk import HELLO, OK_STREAM, Talk, ask

PRICES = {"fake/model": (1.0, 2.0, 0.5), "cheap/*": (0.1, 0.1)}


def usage(prompt: int, answer: int, **more: Any) -> dict[str, Any]:
    told = {"prompt_tokens": prompt, "completion_tokens": answer, "total_tokens": prompt + answer}
    return {**told, **more}


def answer(prompt: int = 100, tokens: int = 50, **more: Any) -> Any:
    return reply({**completion("hi there"), "usage": usage(prompt, tokens, **more)})


def events(*parts: Any, told: Any = None) -> Any:
    last = () if told is None else ({**chunk(), "choices": [], "usage": told},)
    return stream(chunk("", role="assistant"), *parts, *last)


FINISH = (chunk(finish_reason="stop"), DONE)


@define
class Clock:
    """Seconds since 1970 that a test sets."""

    now: float

    def __call__(self) -> float:
        return self.now


def tokens_of(budget: Budget) -> int:
    store: Any = budget.store
    (kept,) = store._kept.values()
    return kept.spent.tokens


def test_tokens_add_up_to_the_limit(mode: Mode):
    budget = Budget(BudgetLimit(tokens=1000), estimate=lambda request: 100, answer_tokens=500)
    answers = Talk(mode, answer(), plugins=[budget]).all(*[{}] * 5)
    # Each may take 600 and takes 150; after three there are 550 left.
    assert [type(each.error).__name__ for each in answers] == [
        *["NoneType"] * 3,
        *["BudgetExceededError"] * 2,
    ]
    assert tokens_of(budget) == 450
    error = answers[3].error
    assert isinstance(error, OrqError)
    assert (error.unit, error.limit, error.spent, error.expected) == ("tokens", 1000, 450, 600)
    assert (error.scope, error.period, error.retry_after) == ("all", "total", None)
    for again in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
        assert vars(again) == vars(error)
        assert str(again) == str(error)


def test_cost_by_prices(mode: Mode):
    budget = Budget(BudgetLimit(cost=1.0), prices=PRICES)
    told = answer(1000, 500, prompt_tokens_details={"cached_tokens": 400})
    (one,) = Talk(mode, told, plugins=[budget]).all({})
    note = one.note("budget")
    assert note["cost"] == pytest.approx((600 * 1.0 + 400 * 0.5 + 500 * 2.0) / 1e6)
    assert (note["tokens"], note["source"]) == (1500, "server")
    (cheap,) = Talk(mode, answer(), plugins=[budget]).all({"model": "cheap/one"})
    assert cheap.note("budget")["cost"] == pytest.approx(150 * 0.1 / 1e6)


@pytest.mark.parametrize("told", [0.25, "0.25"])
@pytest.mark.parametrize("prices", [None, {"*": Price(1.0, 1.0)}])
def test_the_answers_own_cost_goes_first(mode: Mode, told: Any, prices: Any):
    budget = Budget(BudgetLimit(cost=0.6), prices=prices)
    answers = Talk(mode, answer(cost=told), plugins=[budget]).all(*[{}] * 4)
    refused = [each.error for each in answers if each.error]
    assert answers[0].note("budget")["cost"] == 0.25
    assert len(refused) == 1
    assert refused[0].unit == "cost"


def test_a_cost_without_tokens_goes_first(mode: Mode):
    budget = Budget(BudgetLimit(cost=1000.0), prices={"*": (0.0, 5e6)}, answer_tokens=1)
    told = reply({**completion("hi there"), "usage": {"cost": 0.25}})
    assert Talk(mode, told, plugins=[budget]).one().note("budget")["cost"] == 0.25


@pytest.mark.parametrize(
    ("prices", "cost"), [(None, 0.25), ({"*": (0.0, 5e6)}, 100.0), ({"*": (0.0, 1.0)}, 0.25)]
)
def test_a_running_cost_is_the_least(mode: Mode, prices: Any, cost: float):
    budget = Budget(BudgetLimit(cost=1000.0), prices=prices, answer_tokens=1)
    first = {**chunk("a" * 40), "usage": usage(10, 1, cost=0.25)}
    broken = stream(first, chunk("a" * 40))
    one = Talk(mode, broken, plugins=[budget]).one(stream=True)
    assert one.note("budget")["cost"] == cost


@pytest.mark.parametrize("told", ["nan", "-1", True, None, [1], "x", 1e300])
def test_a_cost_that_is_none(mode: Mode, told: Any, caplog: Any):
    budget = Budget(BudgetLimit(cost=1.0))
    talk = Talk(mode, answer(cost=told), plugins=[budget])
    answers = talk.all({}, {})
    assert [each.error for each in answers] == [None, None]
    assert answers[0].note("budget")["cost"] == 0
    assert len([each for each in caplog.records if "no cost" in each.message]) == 1


def test_a_model_without_a_price_is_refused(mode: Mode):
    budget = Budget(BudgetLimit(cost=1.0), prices=PRICES)
    talk = Talk(mode, answer(), plugins=[budget])
    (one,) = talk.all({"model": "other/model"})
    assert type(one.error) is ConfigurationError
    assert "other/model" in str(one.error)
    assert talk.sent == 0
    in_tokens = Budget(BudgetLimit(tokens=10_000), prices=PRICES)
    assert Talk(mode, answer(), plugins=[in_tokens]).one(model="other/model").error is None


def test_soft_limits_warn_once(mode: Mode, caplog: Any):
    heard: list[Any] = []

    def on_soft(warning: Any) -> None:
        heard.append(warning)
        raise RuntimeError("a callback of the user's")

    budget = Budget(
        BudgetLimit(tokens=1000, soft=0.3),
        estimate=lambda request: 1,
        answer_tokens=1,
        on_soft=on_soft,
    )
    answers = Talk(mode, answer(), plugins=[budget]).all(*[{}] * 4)
    assert ["warnings" in each.note("budget") for each in answers] == [False, True, True, True]
    assert answers[1].note("budget")["warnings"] == (
        "budget of 'all': 30 % of the tokens in total are spent",
    )
    assert [(each.scope, each.spent, each.limit) for each in heard] == [("all", 300, 1000)]
    said = [each for each in caplog.records if each.levelno == logging.WARNING]
    assert [each.message for each in said] == [str(heard[0])]


def test_periods_begin_anew(mode: Mode):
    clock = Clock(datetime(2026, 1, 31, 23, 59, 0, tzinfo=timezone.utc).timestamp())
    budget = Budget(
        [BudgetLimit(tokens=200, period="hour"), BudgetLimit(tokens=400, period="month")],
        estimate=lambda request: 100,
        answer_tokens=50,
        clock=clock,
    )
    talk = Talk(mode, answer(), plugins=[budget])

    def one() -> Any:
        return talk.one().error

    assert one() is None
    error = one()
    assert (error.period, error.retry_after) == ("hour", 60)
    clock.now += 60  # February
    assert one() is None
    clock.now += 3600
    assert one() is None
    clock.now += 3600
    error = one()
    assert (error.period, error.spent) == ("month", 300)
    assert error.retry_after == (28 * 24 - 2) * 3600


def test_scopes_have_their_own(mode: Mode):
    limits = {"team=red": [BudgetLimit(tokens=200)], "team=free": []}
    budget = Budget(
        lambda scope: limits.get(scope, [BudgetLimit(tokens=2000)]),
        scope="metadata.team",
        estimate=lambda request: 100,
        answer_tokens=50,
    )
    talk = Talk(mode, answer(), plugins=[budget])
    red, blue, free = ({"metadata": {"team": each}} for each in ("red", "blue", "free"))
    answers = talk.all(red, red, blue, blue, free, {"plugin_options": {"budget": {"scope": "x"}}})
    assert [type(each.error).__name__ for each in answers] == [
        "NoneType",
        "BudgetExceededError",
        *["NoneType"] * 4,
    ]
    assert answers[1].error.scope == "team=red"
    assert answers[5].note("budget")["scope"] == "x"


class TestWaysOut:
    """What stays spent, however a call ends; 100 are expected for the prompt."""

    def spent(self, mode: Mode, *replies: Any, read: int | None = None, **more: Any) -> Any:
        plugins = more.pop("plugins", [])
        budget = Budget(BudgetLimit(tokens=10_000), estimate=lambda request: 100, answer_tokens=500)
        talk = Talk(mode, *replies, plugins=[*plugins, budget], **more)

        async def body() -> Any:
            async with talk.client() as client:
                if read is None:
                    return await ask(mode, client, stream=True)
                result = await mode.create(client, model="fake/model", messages=HELLO, stream=True)
                async for _ in mode.iterate(result):
                    read_so_far.append(1)
                    if len(read_so_far) >= read:
                        break
                await mode.close(result)
                return None

        read_so_far: list[int] = []
        self.answer = mode.run(body)
        assert talk.transport.open_responses == 0
        return tokens_of(budget)

    def test_whole_with_usage(self, mode: Mode):
        given = events(chunk("a" * 40), chunk(finish_reason="stop"), told=usage(7, 5))
        assert self.spent(mode, given) == 12

    def test_whole_without_usage(self, mode: Mode):
        assert self.spent(mode, events(chunk("a" * 40), *FINISH)) == 110
        assert self.answer.note("budget")["source"] == "estimated"

    def test_closed_early(self, mode: Mode):
        given = events(*[chunk("a" * 40)] * 5, *FINISH)
        assert self.spent(mode, given.by_event(), read=3) == 100 + 20

    @pytest.mark.parametrize("read", [1, 3, 5])
    def test_closed_early_after_a_running_usage(self, mode: Mode, read: int):
        """What a usage could not know yet counts by what has arrived."""
        first = {**chunk("", role="assistant"), "usage": usage(10, 1)}
        given = stream(first, *[chunk("a" * 40)] * 5, *FINISH).by_event()
        arrived = 10 * (read - 1)
        assert self.spent(mode, given, read=read) == 10 + max(1, arrived)

    @pytest.mark.parametrize("end", [(), (Raise(APIConnectionError("gone")),)])
    def test_broken_after_a_running_usage(self, mode: Mode, end: Any):
        first = {**chunk("a" * 40), "usage": usage(10, 1)}
        assert self.spent(mode, stream(first, chunk("a" * 40), *end)) == 10 + 20
        assert self.answer.note("budget")["source"] == "estimated"

    def test_closed_early_with_a_usage_in_each_chunk(self, mode: Mode):
        parts = [{**chunk("a" * 40), "usage": usage(10, each)} for each in range(5)]
        assert self.spent(mode, stream(*parts, *FINISH).by_event(), read=3) == 10 + 2

    def test_whole_with_a_usage_before_the_last_text(self, mode: Mode):
        first = {**chunk("a" * 40), "usage": usage(7, 5)}
        assert self.spent(mode, stream(first, chunk("a" * 400), *FINISH)) == 12

    def test_broken_in_the_middle(self, mode: Mode):
        given = events(chunk("a" * 40), Raise(APIConnectionError("gone")))
        assert self.spent(mode, given) == 110

    def test_truncated(self, mode: Mode):
        assert self.spent(mode, events(chunk("a" * 40))) == 110

    def test_refused_by_the_server(self, mode: Mode):
        assert self.spent(mode, reply(status=400)) == 0

    def test_never_connected(self, mode: Mode):
        from orq_core import ConnectError

        assert self.spent(mode, ConnectError("nobody there")) == 0

    def test_no_answer_in_time(self, mode: Mode):
        """The server may be at work on it, and send a bill."""
        given = reply(b"").__class__(200, {}, (Stall(),))
        assert self.spent(mode, given, timeout=1) == 100

    def test_kept_back_by_another_plugin(self, mode: Mode):
        """Its usage is not seen, its length is."""
        said = completion("a" * 4000 + " jane@example.com")
        budget = Budget(BudgetLimit(tokens=10_000), estimate=lambda request: 100)
        talk = Talk(mode, reply(said), plugins=[Redaction(answer_action="block"), budget])
        assert type(talk.one().error) is ContentBlockedError
        assert 1100 < tokens_of(budget) < 1250

    def test_never_sent_by_another_plugin(self, mode: Mode):
        closed: Any = {"on_store_failure": "closed", "store": RedisLimits("redis://127.0.0.1:1/0")}
        assert self.spent(mode, OK_STREAM, plugins=[RateLimit(**closed)]) == 0
        assert type(self.answer.error) is PluginError

    def test_repeats_add_up(self, mode: Mode):
        broken = events(Raise(APIConnectionError("gone")))
        good = events(chunk("a"), chunk(finish_reason="stop"), told=usage(7, 5))
        retries = Retries(policy=RetryPolicy(min_delay=0), random=lambda: 0.0)
        assert self.spent(mode, reply(status=503), broken, good, plugins=[retries]) == 112
        assert self.answer.note("budget")["tokens"] == 112

    def test_no_place_in_the_rate_limit(self, mode: Mode):
        limit = RateLimit(tokens_per_minute=10, max_wait=0)
        good = events(chunk("a"), chunk(finish_reason="stop"), told=usage(7, 5))
        budget = Budget(BudgetLimit(tokens=10_000))
        talk = Talk(mode, good, plugins=[budget, limit])
        first, second = talk.all({"stream": True}, {"stream": True})
        assert first.error is None
        assert type(second.error) is RateLimitWaitError
        assert tokens_of(budget) == 12

    def test_reasoning_and_tool_calls_count(self, mode: Mode):
        said = [
            chunk(reasoning="a" * 40),
            chunk(reasoning_content="a" * 40),
            chunk(tool_calls=[{"index": 0, "function": {"name": "f", "arguments": "a" * 40}}]),
        ]
        assert self.spent(mode, events(*said, *FINISH)) == 130


class SlowBudgets(MemoryBudgets):
    """Reserves at once and says so late."""

    is_shared = True

    async def reserve(self, runtime: Any, accounts: Any, expected: Any) -> Any:
        answer = await super().reserve(runtime, accounts, expected)
        await asyncio.sleep(0.05)
        return answer


async def nothing_left(budget: Budget) -> None:
    latest = time.monotonic() + 5
    while tokens_of(budget):
        assert time.monotonic() < latest
        await asyncio.sleep(0.01)


@pytest.mark.parametrize("delay", [0.02, 0.05, 0.0501])
def test_a_call_cancelled_while_it_reserves_gives_it_back(delay: float):
    budget = Budget(BudgetLimit(tokens=1000), store=SlowBudgets())
    talk = Talk(Mode("async"), answer(), plugins=[budget])

    async def body() -> None:
        async with talk.client() as client:
            task = asyncio.create_task(ask(talk.mode, client, max_tokens=900))
            await asyncio.sleep(delay)
            task.cancel()
            await asyncio.wait((task,))
            if task.cancelled():
                await nothing_left(budget)

    asyncio.run(body())


def test_a_client_that_closes_waits_for_what_is_given_back():
    budget = Budget(BudgetLimit(tokens=1000), store=SlowBudgets())
    talk = Talk(Mode("async"), answer(), plugins=[budget])

    async def body() -> None:
        async with talk.client() as client:
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(ask(talk.mode, client, max_tokens=900), 0.02)
        assert tokens_of(budget) == 0

    asyncio.run(body())


@pytest.mark.parametrize("way", ["open", "closed"])
def test_a_store_that_answers_too_late_has_nothing_reserved(way: Any):
    budget = Budget(
        BudgetLimit(tokens=1000), store=SlowBudgets(), store_timeout=0.01, on_store_failure=way
    )
    talk = Talk(Mode("async"), answer(), plugins=[budget])

    async def body() -> None:
        async with talk.client() as client:
            one = await ask(talk.mode, client, max_tokens=900)
            assert type(one.error) is (PluginError if way == "closed" else type(None))
            await nothing_left(budget)

    asyncio.run(body())


class Interrupt(BaseException):
    """As Ctrl-C, which a test's own loop would not survive."""


def test_an_interrupted_warning_gives_back_what_was_reserved(mode: Mode):
    def on_soft(warning: Any) -> None:
        raise Interrupt

    limit, store = BudgetLimit(tokens=1000, soft=0.1), MemoryBudgets()
    assert Talk(mode, answer(), plugins=[Budget(limit, store=store)]).one().error is None
    budget = Budget(limit, store=store, on_soft=on_soft)
    talk = Talk(mode, answer(), plugins=[budget])
    with pytest.raises(Interrupt):
        talk.one()
    assert (tokens_of(budget), talk.sent) == (150, 0)


def test_a_hit_of_the_cache_costs_nothing(mode: Mode):
    budget = Budget(BudgetLimit(tokens=200), estimate=lambda request: 100, answer_tokens=50)
    limit = RateLimit(requests_per_minute=1, max_wait=0)
    for plugins in ([budget, limit, Caching()], [Caching(), limit, budget]):
        budget.store._kept.clear()  # type: ignore[attr-defined]
        limit.store._scopes.clear()  # type: ignore[attr-defined]
        talk = Talk(mode, answer(), plugins=plugins)
        answers = talk.all(*[{"temperature": 0}] * 5)
        assert [each.error for each in answers] == [None] * 5
        assert tokens_of(budget) == 150
        assert "budget" not in answers[1].info.notes


def test_nothing_of_the_request_or_key_is_told(mode: Mode):
    budget = Budget(BudgetLimit(tokens=1), scope="key")
    one = Talk(mode, answer(), plugins=[budget]).one(
        messages=[{"role": "user", "content": "canary"}]
    )
    assert type(one.error) is BudgetExceededError
    shown = f"{one.error!r} {vars(one.error)} {budget!r}"
    assert "canary" not in shown
    assert "fake-key" not in shown


@pytest.mark.parametrize(
    "make",
    [
        BudgetLimit,
        lambda: BudgetLimit(tokens=0),
        lambda: BudgetLimit(cost=-1),
        lambda: BudgetLimit(cost=1e9),
        lambda: BudgetLimit(tokens=1, period="week"),
        lambda: BudgetLimit(tokens=1, soft=2),
        lambda: Budget([]),
        lambda: Budget([BudgetLimit(tokens=1), BudgetLimit(cost=1)]),
        lambda: Budget([3]),
        lambda: Budget(BudgetLimit(tokens=1), prices={"a": (1,)}),
        lambda: Budget(BudgetLimit(tokens=1), prices={"a": (1, -1)}),
        lambda: Budget(BudgetLimit(tokens=1), scope="teams"),
    ],
)
def test_arguments_are_checked(make: Any):
    with pytest.raises(ConfigurationError):
        make()


@pytest.mark.parametrize("options", [{"scopes": "x"}, {"scope": 3}])
def test_options_of_a_call_are_checked(mode: Mode, options: Any):
    talk = Talk(mode, answer(), plugins=[Budget(BudgetLimit(tokens=1))])
    assert type(talk.one(plugin_options={"budget": options}).error) is ConfigurationError


def test_a_scope_that_is_no_name(mode: Mode):
    talk = Talk(mode, answer(), plugins=[Budget(BudgetLimit(tokens=1), scope=lambda c, r: 7)])  # type: ignore[arg-type,return-value]
    assert type(talk.one().error) is ConfigurationError


class PerUser(Budget):
    name = "budget_per_user"


def test_two_budgets_of_other_names(mode: Mode):
    everybody = Budget(BudgetLimit(tokens=10**6))
    each = PerUser(BudgetLimit(tokens=600), scope="metadata.user")
    talk = Talk(mode, answer(), plugins=[everybody, each])
    told = talk.all(*[{"metadata": {"user": user}} for user in ("ann", "ann", "bob")])
    assert [type(one.error).__name__ for one in told] == [
        "NoneType",
        "BudgetExceededError",
        "NoneType",
    ]
    assert told[0].note("budget")["tokens"] == told[0].note("budget_per_user")["tokens"] == 150
    assert tokens_of(everybody) == 300
    named = talk.one(plugin_options={"budget_per_user": {"scope": "guests"}})
    assert named.note("budget_per_user")["scope"] == "guests"
    assert named.note("budget")["scope"] == "all"


def test_users_that_redaction_makes_alike_are_told_apart_by_a_function(mode: Mode):
    def by_user(call: Any, request: Any) -> str:
        return hmac.new(b"fake", call.request.metadata["user"].encode(), "sha256").hexdigest()[:16]

    calls = [{"metadata": {"user": f"{name}@example.com"}} for name in ("ann", "bob", "ann")]
    names = {}
    for scope in ("metadata.user", by_user):
        budget = Budget(BudgetLimit(tokens=10**6), scope=scope)
        told = Talk(mode, answer(), plugins=[Redaction(), budget]).all(*calls)
        names[scope] = [each.note("budget")["scope"] for each in told]
    assert names["metadata.user"] == ["user=<EMAIL_1>"] * 3
    ann, bob, again = names[by_user]
    assert ann == again != bob


def test_accounts_of_past_periods_are_forgotten(mode: Mode):
    from tests.plugins.rate_limit.clock import run

    store = MemoryBudgets()

    async def body(runtime: Any) -> None:
        from orq_plugins.budget.stores import Account, Spent

        for number in range(10_000):
            account = Account("s", str(number), None, None, 100.0 if number else None)
            await store.reserve(runtime, [account], Spent(1, 1))
            await runtime.sleep(1)
        assert len(store._kept) < 4200
        assert ("s", "0") in store._kept
        assert await store.settle(runtime, [Account("s", "gone", 1, 1, 1)], Spent(1)) == [Spent()]

    run(mode, body)
