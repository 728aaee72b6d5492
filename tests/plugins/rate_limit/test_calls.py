"""Calls that wait, go on, give up and are refused, in both modes, on a clock of their own."""

from __future__ import annotations

import asyncio
import copy
import pickle
from contextlib import asynccontextmanager
from typing import Any

import pytest

from orq_core import ConnectError, OrqError, PluginError, RateLimitError, RetryPolicy
from orq_core.testing import DONE, Mode, Raise, ScriptedTransport, chunk, completion, reply, stream
from orq_plugins import MemoryLimits, RateLimit, RateLimitWaitError, Retries
from tests.plugins.rate_limit.clock import prepare, run
from tests.plugins.talk import HELLO, KEY, SERVER, ask

USAGE = {"prompt_tokens": 10, "completion_tokens": 20, "total_tokens": 30}
OK = reply({**completion("hi there"), "usage": USAGE})
OK_STREAM = stream(chunk("", role="assistant"), chunk("hi"), chunk(finish_reason="stop"), DONE)


class Scene:
    """Clients that share plugins, and one clock."""

    def __init__(self, mode: Mode, *replies: Any, plugins: Any, **client: Any) -> None:
        self.mode = mode
        self.transport = ScriptedTransport(*replies, is_async=mode.is_async)
        self.times: list[float] = []
        self.arguments = {
            "api_key": KEY,
            "server_url": SERVER,
            "transport": self.transport,
            "plugins": plugins,
            "discover": False,
            "timeout": 600,
            **client,
        }

    @asynccontextmanager
    async def client(self, runtime: Any) -> Any:
        send = self.transport.send

        async def timed(http: Any) -> Any:
            self.times.append(round(runtime.now() - 1000.0, 2))
            return await send(http)

        self.transport.send = timed  # type: ignore[method-assign]
        async with self.mode.client(**self.arguments) as client:
            yield prepare(client, runtime)

    def all(self, *calls: dict[str, Any]) -> list[Any]:
        """Make calls in turn; returns answers."""

        async def body(runtime: Any) -> list[Any]:
            async with self.client(runtime) as client:
                return [await ask(self.mode, client, **call) for call in calls]

        return run(self.mode, body)


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
def test_a_minute_holds_no_more_requests(mode: Mode, streamed: bool):
    plugin = RateLimit(requests_per_minute=2, max_wait=100)
    scene = Scene(mode, OK_STREAM if streamed else OK, plugins=[plugin])
    answers = scene.all(*[{"stream": streamed}] * 5)
    assert all(answer.error is None for answer in answers)
    assert scene.times == [0, 0, 61, 61, 122]
    assert [round(answer.note("rate_limit")["waited"]) for answer in answers] == [0, 0, 61, 0, 61]


def test_tokens_are_expected_then_counted(mode: Mode):
    plugin = RateLimit(tokens_per_minute=1000, max_wait=100, estimate=lambda request: 100)
    scene = Scene(mode, OK, plugins=[plugin])
    calls = [{"max_tokens": 800}] * 5
    answers = scene.all(*calls)
    # Each is expected to take 900 and takes 30: the fifth would be the first that does not fit.
    assert scene.times == [0, 0, 0, 0, 61]
    notes = answers[0].note("rate_limit")
    assert (notes["expected"], notes["tokens"], notes["scope"]) == (900, 30, "model=fake/model")


def test_a_wait_that_is_too_long_is_refused_at_once(mode: Mode):
    plugin = RateLimit(requests_per_minute=1, max_wait=30)
    scene = Scene(mode, OK, plugins=[plugin, Retries()])
    first, second = scene.all({}, {})
    assert first.error is None
    error = second.error
    assert type(error) is RateLimitWaitError
    assert isinstance(error, OrqError)
    assert not isinstance(error, RateLimitError)
    assert error.retry_after == pytest.approx(61)
    assert error.scope == "model=fake/model"
    assert scene.times == [0]
    assert error.attempts == ()
    for again in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
        assert (again.retry_after, again.scope, str(again)) == (
            error.retry_after,
            error.scope,
            str(error),
        )


def test_the_deadline_of_the_call_bounds_the_wait(mode: Mode):
    plugin = RateLimit(requests_per_minute=1, max_wait=1000)
    scene = Scene(mode, OK, plugins=[plugin], timeout=20)
    _, second = scene.all({}, {})
    assert type(second.error) is RateLimitWaitError
    assert scene.times == [0]


def test_one_call_may_ask_for_less_patience_or_another_scope(mode: Mode):
    plugin = RateLimit(requests_per_minute=1, max_wait=1000)
    scene = Scene(mode, OK, plugins=[plugin])

    def with_options(**options: Any) -> dict[str, Any]:
        return {"plugin_options": {"rate_limit": options}}

    answers = scene.all(
        {},
        with_options(max_wait=1),
        with_options(scope="other"),
        with_options(bypass=True),
        with_options(tokens=5, max_wait=100),
    )
    assert [type(answer.error).__name__ for answer in answers] == [
        "NoneType",
        "RateLimitWaitError",
        "NoneType",
        "NoneType",
        "NoneType",
    ]
    assert scene.times == [0, 0, 0, 61]
    assert answers[3].note("rate_limit") is None


def test_what_never_arrived_does_not_count(mode: Mode):
    plugin = RateLimit(requests_per_minute=1, tokens_per_minute=600, max_wait=1)
    refused = ConnectError("nobody there")
    scene = Scene(mode, refused, OK, OK, plugins=[plugin])
    answers = scene.all({}, {}, {})
    assert [type(answer.error).__name__ for answer in answers] == [
        "ConnectError",
        "NoneType",
        "RateLimitWaitError",
    ]


@pytest.mark.parametrize("told", ["requests", "tokens"])
def test_what_never_arrived_leaves_the_servers_figure_alone(mode: Mode, told: str):
    left = {"requests": "2", "tokens": "400"}[told]
    headers = {
        f"x-ratelimit-limit-{told}": "4000",
        f"x-ratelimit-remaining-{told}": left,
        f"x-ratelimit-reset-{told}": "4000s",
    }
    first = reply({**completion("hi"), "usage": USAGE}, headers=headers)
    refused = [ConnectError("nobody there")] * 5
    plugin = RateLimit(max_wait=0.1, estimate=lambda request: 50, answer_tokens=150)
    answers = Scene(mode, first, *refused, OK, plugins=[plugin]).all(*[{}] * 9)
    assert [type(answer.error).__name__ for answer in answers] == [
        "NoneType",
        *["ConnectError"] * 5,
        *["NoneType"] * 2,
        "RateLimitWaitError",
    ]


def test_an_attempt_that_failed_counts_without_tokens(mode: Mode):
    plugin = RateLimit(requests_per_minute=2, tokens_per_minute=600, max_wait=1)
    scene = Scene(mode, reply(status=500), OK, plugins=[plugin])
    answers = scene.all({}, {}, {})
    assert [type(answer.error).__name__ for answer in answers] == [
        "InternalServerError",
        "NoneType",
        "RateLimitWaitError",
    ]


def test_repeats_are_requests(mode: Mode):
    """Each attempt asks anew: a minute of the server's has no more, whoever repeats."""
    plugin = RateLimit(requests_per_minute=2, max_wait=100)
    retries = Retries(policy=RetryPolicy(max_repeats=2), random=lambda: 0.0)
    scene = Scene(mode, reply(status=503), reply(status=503), OK, plugins=[retries, plugin])
    (answer,) = scene.all({})
    assert answer.error is None
    assert scene.times[:2] == [0, 0.05]
    assert 60 <= scene.times[2] <= 61.5
    assert answer.note("rate_limit")["waited"] == pytest.approx(61, abs=1)


def test_a_repeat_that_would_wait_too_long(mode: Mode):
    plugin = RateLimit(requests_per_minute=1, max_wait=1)
    scene = Scene(mode, reply(status=503), OK, plugins=[Retries(random=lambda: 0.0), plugin])
    (answer,) = scene.all({})
    assert type(answer.error) is RateLimitWaitError
    assert [each.status for each in answer.error.attempts] == [503]
    assert "this repeat was not sent" in str(answer.error)


def test_a_429_has_the_whole_scope_wait(mode: Mode):
    limited = reply(status=429, headers={"retry-after": "7"})
    scene = Scene(mode, limited, OK, plugins=[RateLimit()])
    refused, other = scene.all({}, {})
    assert type(refused.error) is RateLimitError
    assert other.error is None
    assert scene.times == [0, 7]


def test_a_429_with_a_long_pause_refuses_the_others(mode: Mode):
    limited = reply(status=429, headers={"retry-after": "300"})
    scene = Scene(mode, limited, OK, plugins=[RateLimit(max_wait=60)])
    _, other = scene.all({}, {})
    assert other.error.retry_after == pytest.approx(300)
    assert scene.times == [0]


@pytest.mark.parametrize(
    ("headers", "until"),
    [
        ({"limit-requests": "60", "remaining-requests": "0", "reset-requests": "1m0s"}, 1),
        ({"limit-tokens": "6000", "remaining-tokens": "0", "reset-tokens": "60s"}, 6.13),
        ({"limit": "10", "remaining": "0", "reset": "12"}, 12),
        ({"remaining": "0", "reset": "250ms"}, 0.25),
        ({"limit": "10", "remaining": "1", "reset": "12"}, 0),
        ({"limit-requests": "10", "remaining-requests": "0", "reset-requests": "0s"}, 0),
        ({"limit-requests": "x", "remaining-requests": "none", "reset-requests": "soon"}, 0),
        ({"limit-requests": "9" * 40, "remaining-requests": "-1", "reset-requests": "5s"}, 0),
    ],
)
def test_headers_of_an_answer_are_kept_to(mode: Mode, headers: dict[str, str], until: float):
    given = {f"X-RateLimit-{name}": value for name, value in headers.items()}
    plugin = RateLimit(estimate=lambda request: 101)
    scene = Scene(mode, reply(completion("hi"), headers=given), OK, plugins=[plugin])
    first, second = scene.all({}, {})
    assert first.error is None
    assert second.error is None
    assert scene.times[1] == pytest.approx(until, abs=0.03)


def test_a_scope_in_use_is_not_forgotten(mode: Mode):
    headers = {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "500"}
    plugin = RateLimit(scope="metadata.user", max_wait=0)
    scene = Scene(mode, reply(completion("hi"), headers=headers), OK, plugins=[plugin])

    async def body(runtime: Any) -> None:
        async with scene.client(runtime) as client:
            assert (await ask(mode, client, metadata={"user": "one"})).error is None
            for number in range(1200):
                assert (await ask(mode, client, metadata={"user": str(number)})).error is None
                if number % 400 == 399:
                    error = (await ask(mode, client, metadata={"user": "one"})).error
                    assert type(error) is RateLimitWaitError

    run(mode, body)


def test_a_scope_that_was_forgotten_begins_anew(mode: Mode):
    """Marks of the one that was forgotten mean nothing to the one that came after it."""
    headers = {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "500"}
    told = reply(completion("hi"), headers=headers)
    plugin = RateLimit(max_wait=0)

    def forgotten(http: Any) -> Any:
        plugin._turnstile._hearings.clear()
        return told

    answers = Scene(mode, OK, forgotten, told, OK, plugins=[plugin]).all({}, {}, {}, {})
    errors = [type(each.error) for each in answers]
    assert errors == [type(None)] * 3 + [RateLimitWaitError]


@pytest.mark.parametrize("leaves", [True, False], ids=["left", "broken"])
def test_headers_of_a_stream_are_as_old_as_its_beginning(mode: Mode, leaves: bool):
    headers = {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "60"}
    long = stream(chunk("a"), Raise(ConnectionError("odd")), headers=headers)
    scene = Scene(mode, long, OK, plugins=[RateLimit(max_wait=0)])

    async def body(runtime: Any) -> None:
        async with scene.client(runtime) as client:
            answer = await mode.create(client, messages=HELLO, model="fake/model", stream=True)
            await runtime.sleep(100)
            if leaves:
                await mode.close(answer)
            else:
                with pytest.raises(ConnectionError):
                    await mode.completion(answer)
            assert (await ask(mode, client)).error is None

    run(mode, body)


def test_any_way_out_frees_the_place(mode: Mode):
    """With one place, a place that stays taken would hold up the next call."""
    broken = stream(chunk("x"), Raise(ConnectionError("odd")))
    scene = Scene(
        mode,
        OK_STREAM,
        OK_STREAM,
        broken,
        reply(status=400),
        stream(chunk("x")),
        OK_STREAM,
        plugins=[RateLimit(concurrency=1, max_wait=1)],
    )

    async def body(runtime: Any) -> None:
        async with scene.client(runtime) as client:

            async def begin() -> Any:
                return await mode.create(client, messages=HELLO, model="fake/model", stream=True)

            closed = await begin()
            await mode.close(closed)
            left = await begin()
            async for _ in mode.iterate(left):
                break
            await mode.close(left)
            with pytest.raises(ConnectionError):
                await mode.completion(await begin())
            for _ in range(2):
                answer = await ask(mode, client, stream=True)
                assert isinstance(answer.error, OrqError)
                assert not isinstance(answer.error, RateLimitWaitError)
            dropped = await begin()
            again = await ask(mode, client)
            assert type(again.error) is RateLimitWaitError
            assert again.error.retry_after is None
            with pytest.warns(ResourceWarning, match="dropped"):
                del dropped
            last = await ask(mode, client, stream=True)
            assert last.error is None

    run(mode, body)


class SlowLimits(MemoryLimits):
    """Grants the first place at once and says so too late."""

    is_shared = True

    def __init__(self) -> None:
        super().__init__()
        self.is_slow = True
        self.drops = 0

    async def take(self, runtime: Any, rates: Any, want: Any) -> Any:
        verdict = await super().take(runtime, rates, want)
        if self.is_slow:
            self.is_slow = False
            if not runtime.is_async:
                raise TimeoutError
            await runtime.sleep(1)
        return verdict

    async def drop(self, runtime: Any, want: Any) -> None:
        self.drops += 1
        self._scopes[want.scope].owners.discard(want.owner)


@pytest.mark.parametrize("way", ["open", "closed"])
def test_a_place_granted_too_late_is_free_again(mode: Mode, way: Any):
    store = SlowLimits()
    plugin = RateLimit(concurrency=1, store=store, on_store_failure=way, max_wait=1)
    scene = Scene(mode, OK, plugins=[plugin])

    async def body(runtime: Any) -> None:
        async with scene.client(runtime) as client:
            first = await ask(mode, client)
            assert type(first.error) is (PluginError if way == "closed" else type(None))
            drops = store.drops
            if way == "closed":
                assert type((await ask(mode, client)).error) is PluginError
                assert store.drops == drops  # nobody had asked
            await runtime.sleep(2)
            assert (await ask(mode, client)).error is None

    run(mode, body)


def test_a_place_that_is_granted_after_its_call_is_over_is_free_again():
    """The place that the store names last would stay taken for as long as the call might last."""
    store = SlowLimits()
    scene = Scene(Mode("async"), OK, plugins=[RateLimit(concurrency=1, store=store)])

    async def late(runtime: Any, rates: Any, want: Any) -> Any:
        await runtime.sleep(5)
        return await MemoryLimits.take(store, runtime, rates, want)

    store.take = late  # type: ignore[method-assign]

    async def body(runtime: Any) -> None:
        async with scene.client(runtime) as client:
            assert (await ask(scene.mode, client)).error is None
            await runtime.sleep(6)
            (counts,) = store._scopes.values()
            assert counts.owners == set()

    run(scene.mode, body)


@pytest.mark.parametrize("way", ["cancelled", "closed", "open"])
def test_what_is_granted_to_a_call_that_is_not_sent_does_not_count(way: Any):
    """Only a shared store answers late, and only to a task."""
    store = SlowLimits()
    plugin = RateLimit(
        requests_per_minute=1,
        tokens_per_minute=1000,
        store=store,
        max_wait=0,
        on_store_failure="open" if way == "open" else "closed",
    )
    scene = Scene(Mode("async"), OK, plugins=[plugin])

    async def body(runtime: Any) -> list[Any]:
        async with scene.client(runtime) as client:
            first = asyncio.create_task(ask(scene.mode, client))
            if way == "cancelled":
                await runtime.sleep(0.1)
                first.cancel()
            await asyncio.wait([first])
            await runtime.sleep(2)
            return [(await ask(scene.mode, client)).error for _ in range(2)]

    errors = [type(error) for error in run(scene.mode, body)]
    none, refused = type(None), RateLimitWaitError
    assert errors == ([refused, refused] if way == "open" else [none, refused])


@pytest.mark.parametrize(
    "arguments",
    [
        {"requests_per_minute": 0},
        {"tokens_per_minute": -1},
        {"concurrency": 1.5},
        {"scope": "models"},
        {"scope": 7},
        {"max_wait": -1},
        {"max_wait": float("nan")},
        {"store_timeout": 0},
        {"on_store_failure": "ajar"},
    ],
)
def test_arguments_are_checked(arguments: Any):
    from orq_core import ConfigurationError

    with pytest.raises(ConfigurationError):
        RateLimit(**arguments)


@pytest.mark.parametrize(
    "options", [{"max_waits": 1}, {"scope": 1}, {"tokens": 0}, {"max_wait": "1"}, {"bypass": 1}]
)
def test_options_of_a_call_are_checked(mode: Mode, options: Any):
    from orq_core import ConfigurationError

    scene = Scene(mode, OK, plugins=[RateLimit()])
    (answer,) = scene.all({"plugin_options": {"rate_limit": options}})
    assert type(answer.error) is ConfigurationError
    assert scene.times == []


def test_scopes(mode: Mode):
    def names(scope: Any, **fields: Any) -> Any:
        scene = Scene(mode, OK, plugins=[RateLimit(scope=scope)])
        return scene.all(fields)[0].note("rate_limit")["scope"]

    assert names("all") == "all"
    assert names("metadata.team", metadata={"team": "red"}) == "team=red"
    assert names("metadata.team") == "team="
    assert names(lambda call, request: f"{request.model}!") == "fake/model!"
    key = names("key")
    assert key.startswith("key=")
    assert KEY not in key
    assert key != names("key", http_headers={"Authorization": "Bearer fake-other"})
