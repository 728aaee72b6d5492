"""``client.explain``: what would happen, and that nothing of it does."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from attrs import evolve

from orq_core import (
    BackoffStrategy,
    ConfigurationError,
    Explanation,
    RequestError,
    RetryConfig,
    RetryPolicy,
    Timeout,
    hookimpl,
    transform,
)
from orq_core.testing import LocalRouter, Mode, ScriptedTransport
from orq_plugins import Retries

KEY = "fake-key-canary-1"
PROMPT = "canary prompt of nobody"
BODY = {"model": "fake/model", "messages": [{"role": "user", "content": PROMPT}]}
SECRET = "fake-header-canary"


async def explain(mode: Mode, client: Any, *args: Any, **fields: Any) -> Explanation:
    told = client.explain(*args, **fields)
    return await told if mode.is_async else told


def explained(mode: Mode, *plugins: Any, request: Any = BODY, **arguments: Any) -> Explanation:
    """Explain one call of a client whose transport fails the test when it is used."""
    transport = ScriptedTransport(AssertionError("sent"), is_async=mode.is_async)
    given = {
        "api_key": KEY,
        "headers": {"X-Fake-Secret": SECRET},
        "plugins": plugins,
        "discover": False,
        "transport": transport,
        **arguments,
    }

    async def body() -> Explanation:
        async with mode.client(**given) as client:
            return await explain(mode, client, request)

    told = mode.run(body)
    assert transport.requests == []
    for text in (str(told), json.dumps(told.to_dict())):
        for canary in ("canary", KEY, SECRET):
            assert canary not in text
    return told


class Wrap:
    """A third party's plugin with one layer."""

    def __init__(self, layer: Any, name: str = "theirs") -> None:
        self.name = name
        self._layer = layer

    @hookimpl
    def orq_wrap_create(self, call: Any) -> Any:
        assert call.dry_run
        return self._layer


def lines(told: Explanation, plugin: str = "theirs") -> list[str]:
    [report] = [each for each in told.layers if each.plugin == plugin]
    return [str(change) for change in report.changes]


def states(told: Explanation) -> list[tuple[str, str]]:
    return [(each.plugin, each.state) for each in told.layers]


def test_a_call_without_plugins(mode: Mode):
    told = explained(mode)
    assert told.outcome == "sent"
    assert (told.url, told.model) == ("https://my.orq.ai/v2/router/chat/completions", "fake/model")
    assert told.layers == ()
    assert told.key == "given"
    assert told.headers["Authorization"] == "client"
    assert told.headers["X-Fake-Secret"] == "caller"
    assert told.timeout == Timeout()
    assert told.worst_case.attempts == 1
    assert told.problems == ()


def test_nothing_reaches_a_server(mode: Mode, orq_router: LocalRouter):
    async def body() -> Explanation:
        async with mode.client(
            server_url=orq_router.url, api_key=KEY, plugins=[Retries()], discover=False
        ) as client:
            told = await explain(mode, client, stream=True, **BODY)
            assert client._core.transport is None, "not even a pool is made"
            return told

    told = mode.run(body)
    assert told.stream
    assert told.outcome == "sent"
    assert orq_router.requests == []


def test_a_third_partys_changes(mode: Mode):
    change = transform(
        request=lambda request: evolve(
            request,
            metadata={"tenant": "canary"},
            temperature=0.5,
            messages=[*request.messages] * 2,
        )
    )
    told = explained(mode, Wrap(change), request={**BODY, "temperature": 0})
    assert lines(told) == [
        '+ messages[1].role: "user"',
        "+ messages[1].content: 1 value masked",
        "+ metadata.tenant: 1 value masked",
        "~ temperature: 0 -> 0.5",
    ]
    assert told.body_bytes > explained(mode).body_bytes


def test_layers_hand_on_what_they_were_handed(mode: Mode):
    def add(number: int) -> Any:
        return transform(request=lambda r: evolve(r, max_tokens=(r.max_tokens or 0) + number))

    told = explained(mode, Wrap(add(1), "outer"), Wrap(add(10), "inner"))
    assert states(told) == [("outer", "run"), ("inner", "run")]
    assert lines(told, "outer") == ["+ max_tokens: 1"]
    assert lines(told, "inner") == ["~ max_tokens: 1 -> 11"]


def test_a_change_in_place_is_seen(mode: Mode):
    async def around(call: Any, request: Any, proceed: Any) -> Any:
        request.temperature = 0.25
        async for item in proceed(request):
            yield item

    assert lines(explained(mode, Wrap(around))) == ["+ temperature: 0.25"]


def test_a_layer_that_raises(mode: Mode):
    async def refuse(call: Any, request: Any, proceed: Any) -> Any:
        raise ValueError(PROMPT)
        yield

    never = transform()
    told = explained(mode, Wrap(never, "outer"), Wrap(refuse), Wrap(never, "inner"))
    assert told.outcome == "refused"
    assert states(told) == [("outer", "run"), ("theirs", "failed"), ("inner", "not reached")]
    [problem] = told.problems
    assert problem.startswith("theirs: ValueError at ")
    assert "test_explain.py:" in problem
    assert told.headers == {}


def test_a_layer_that_is_no_generator(mode: Mode):
    told = explained(mode, Wrap(lambda call, request, proceed: None))
    assert states(told) == [("theirs", "failed")]
    assert "a layer is an async generator function" in told.problems[0]


def test_a_hook_that_raises(mode: Mode):
    class Broken:
        @hookimpl
        def orq_wrap_create(self, call: Any) -> Any:
            raise KeyError(PROMPT)

    told = explained(mode, Broken(), Wrap(transform()))
    assert states(told) == [("broken", "failed")]
    assert told.outcome == "refused"


def test_a_layer_that_awaits_a_future_in_blocking_mode():
    async def around(call: Any, request: Any, proceed: Any) -> Any:
        await asyncio.get_event_loop_policy().new_event_loop().create_future()
        yield

    async def suspended(call: Any, request: Any, proceed: Any) -> Any:
        await asyncio.sleep(0)
        async for item in proceed(request):
            yield item

    told = explained(Mode("sync"), Wrap(suspended))
    assert states(told) == [("theirs", "failed")]
    assert "SuspendedError" in told.problems[0]
    assert states(explained(Mode("async"), Wrap(suspended))) == [("theirs", "run")]


def test_a_layer_that_answers_by_itself(mode: Mode):
    async def answer(call: Any, request: Any, proceed: Any) -> Any:
        yield "anything"

    told = explained(mode, Wrap(answer), Wrap(transform(), "inner"))
    assert told.outcome == "answered"
    assert states(told) == [("theirs", "answers"), ("inner", "not reached")]


def test_a_layer_that_can_not_be_closed(mode: Mode):
    async def answer(call: Any, request: Any, proceed: Any) -> Any:
        try:
            yield "anything"
        finally:
            raise ValueError(PROMPT)

    told = explained(mode, Wrap(answer))
    assert told.outcome == "refused"
    assert told.problems[0].startswith("ValueError at ")


def test_a_layer_that_detaches(mode: Mode):
    async def shared(call: Any, request: Any, proceed: Any) -> Any:
        upstream = proceed.detached(evolve(request, n=3))
        try:
            async for item in upstream.items:
                yield item
        finally:
            await upstream.close()

    told = explained(mode, Wrap(shared), Wrap(transform(), "inner"))
    assert lines(told) == ["+ n: 3"]
    assert states(told) == [("theirs", "run"), ("inner", "run")]


def test_a_layer_that_repeats_and_waits_does_neither(mode: Mode):
    seen: list[str] = []

    async def stubborn(call: Any, request: Any, proceed: Any) -> Any:
        began = call.now()
        await call.sleep(3600)
        assert call.now() >= began + 3600
        for _ in range(1000):
            seen.append("asked")
            try:
                async for item in proceed(request):
                    yield item
            except BaseException as error:
                seen.append(type(error).__mro__[1].__name__)
                if len(seen) > 4:
                    raise

    explained(mode, Wrap(stubborn))
    assert seen == ["asked", "GeneratorExit"] * 3


def test_blocking_work_runs_where_it_belongs(mode: Mode):
    async def around(call: Any, request: Any, proceed: Any) -> Any:
        tokens = await call.run(len, "123")
        async for item in proceed(evolve(request, max_tokens=tokens)):
            yield item

    assert lines(explained(mode, Wrap(around))) == ["+ max_tokens: 3"]


class Asked:
    """A plugin that tells of itself and must not be run."""

    name = "asked"

    def __init__(self, told: Any) -> None:
        self.told = told
        self.asked = 0

    @hookimpl
    def orq_wrap_create(self, call: Any) -> Any:
        async def around(call: Any, request: Any, proceed: Any) -> Any:
            raise AssertionError("run")
            yield

        return around

    @hookimpl
    def orq_prepare_request(self, http: Any) -> None:
        raise AssertionError("run")

    @hookimpl
    def orq_explain(self, call: Any, request: Any) -> Any:
        assert call.dry_run
        self.asked += 1
        if isinstance(self.told, Exception):
            raise self.told
        return {**self.told, "request": evolve(request, n=2)} if self.told == {} else self.told


def test_a_plugin_that_is_asked_is_not_run(mode: Mode):
    plugin = Asked({"headers": ["X-Asked"], "attempts": 4, "pauses": 2.5, "quota": {"left": 3}})
    told = explained(mode, plugin)
    assert states(told) == [("asked", "asked")]
    assert plugin.asked == 1
    assert told.headers["X-Asked"] == "asked"
    assert told.layers[0].facts["quota"] == {"left": 3}
    assert (told.worst_case.attempts, told.worst_case.pauses) == (4, 2.5)
    assert "quota.left: 3" in str(told)


def test_a_plugin_that_is_asked_may_hand_on_another_request(mode: Mode):
    told = explained(mode, Asked({}), Wrap(transform(), "inner"))
    assert lines(told, "asked") == ["+ n: 2"]
    assert lines(told, "inner") == []


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (ValueError(PROMPT), "ValueError at "),
        (["facts"], "not a mapping"),
        ({"request": "?"}, "expected a ChatCompletionRequest"),
    ],
)
def test_a_plugin_that_can_not_tell(mode: Mode, answer: Any, problem: str):
    told = explained(mode, Asked(answer))
    assert states(told) == [("asked", "failed")]
    assert problem in told.problems[0]


def test_a_careless_fact_is_hidden(mode: Mode):
    facts = {"said": f"it is {PROMPT}!", PROMPT: 1, "deep": [{"key": KEY}], "odd": object()}
    [report] = explained(mode, Asked(facts)).layers
    assert report.facts == {
        "said": "(hidden)",
        "(hidden)": 1,
        "deep": [{"key": "(hidden)"}],
        "odd": "<object>",
    }


def test_an_asked_layer_that_answers(mode: Mode):
    told = explained(mode, Asked({"answers": True}), Wrap(transform(), "inner"))
    assert told.outcome == "answered"
    assert states(told)[1] == ("inner", "run"), "it shows what would be if it did not"


def test_asked_without_a_layer_or_not_at_all(mode: Mode):
    class Aside:
        def __init__(self, name: str, told: Any) -> None:
            self.name = name
            self.told = told

        @hookimpl
        async def orq_explain(self) -> Any:
            if self.told is Exception:
                raise ValueError(PROMPT)
            return self.told

    plugins = [Aside("a", {"x": None}), Aside("b", None), Aside("c", Exception)]
    told = explained(mode, *plugins)
    assert [(each.plugin, each.state) for each in told.aside] == [
        ("a", "asked"),
        ("b", "run"),
        ("c", "failed"),
    ]
    assert "x: none" in str(told)


def test_headers_that_hooks_add_change_and_remove(mode: Mode):
    class Headers:
        name = "headers"

        @hookimpl
        def orq_prepare_request(self, call: Any, http: Any) -> None:
            assert call.dry_run
            http.headers["X-Mine"] = SECRET
            http.headers["User-Agent"] = "fake"
            del http.headers["Accept-Encoding"]

    told = explained(mode, Headers())
    assert told.headers == {
        "Accept": "client",
        "Content-Type": "client",
        "User-Agent": "headers",
        "Authorization": "client",
        "X-Fake-Secret": "caller",
        "X-Mine": "headers",
    }


def test_a_header_hook_that_raises(mode: Mode):
    class Headers:
        @hookimpl
        def orq_prepare_request(self, http: Any) -> None:
            raise ValueError(SECRET)

    told = explained(mode, Headers())
    assert told.outcome == "refused"
    assert "headers: ValueError at " in told.problems[0]


def test_wrappers_of_the_hook_in_both_styles(mode: Mode):
    class New:
        @hookimpl(wrapper=True)
        def orq_wrap_create(self) -> Any:
            layers = yield
            return [transform(request=lambda r: evolve(r, seed=1)), *layers]

    class Old:
        @hookimpl(hookwrapper=True)
        def orq_wrap_create(self) -> Any:
            outcome = yield
            outcome.force_result([*outcome.get_result(), transform()])

    told = explained(mode, Wrap(transform()), New(), Old())
    assert states(told) == [("new", "run"), ("theirs", "run"), ("old", "run")]


def test_a_missing_key_is_a_problem_and_no_error(mode: Mode, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("ORQ_API_KEY", raising=False)
    told = explained(mode, api_key=None)
    assert (told.key, told.outcome) == ("missing", "refused")
    assert explained(mode, api_key=None, server_url="http://127.0.0.1:1").key == "not needed"


def test_the_query_of_a_url_is_hidden(mode: Mode):
    url = f"https://gw.example.com/v1?api-key={KEY}&zone"
    told = explained(mode, server_url=url)
    assert told.url == "https://gw.example.com/v1/chat/completions?api-key=…&zone=…"


@pytest.mark.parametrize(
    ("retries", "shown", "attempts", "pauses"),
    [
        (None, None, 1, 0),
        (0, 0, 1, 0),
        (4, 4, 5, 240),
        (RetryPolicy(max_repeats=1, max_retry_after=5), "RetryPolicy", 2, 5),
        (RetryPolicy(max_repeats=2, max_retry_after=0), "RetryPolicy", 3, 1.5),
        (
            RetryConfig("backoff", BackoffStrategy(500, 60_000, 1.5, 30_000), True),
            "RetryConfig",
            None,
            30,
        ),
        (RetryConfig("none", BackoffStrategy(1, 1, 1, 1), True), "RetryConfig", 1, 0),
    ],
)
def test_retries(mode: Mode, retries: Any, shown: Any, attempts: int | None, pauses: float):
    told = explained(mode, Retries(), retries=retries)
    assert (told.retries["kind"] if isinstance(told.retries, dict) else told.retries) == shown
    assert (told.worst_case.attempts, told.worst_case.pauses) == (attempts, pauses)
    if attempts is None:
        assert told.worst_case.first_event_seconds == 30 + 130
    assert ("Idempotency-Key" in told.headers) == (attempts != 1)


def test_the_router_and_the_client(mode: Mode):
    body = {**BODY, "retry": {"count": 2}, "fallbacks": [{"model": "x"}]}
    told = explained(mode, Retries(), request={**body, "timeout": {"call_timeout": 60_000}})
    assert told.worst_case.model_requests == 3 * 6
    assert told.layers[0].facts["only_what_the_router_asks_for"] is True
    assert [problem.partition(" may")[0] for problem in told.problems] == [
        "the router",
        "the client and the router both repeat",
    ]


def test_what_create_refuses_is_refused(mode: Mode):
    with pytest.raises(RequestError):
        explained(mode, request={"messages": 3})
    with pytest.raises(ConfigurationError, match="retries"):
        explained(mode, retries=2)


def test_what_json_can_not_hold_is_a_problem(mode: Mode):
    change = transform(request=lambda request: evolve(request, extra={"odd": object()}))
    told = explained(mode, Wrap(change))
    assert told.outcome == "refused"
    assert "odd" in told.problems[0]


def test_a_closed_client_explains_nothing(mode: Mode):
    async def body() -> None:
        async with mode.client(api_key=KEY, discover=False) as client:
            pass
        with pytest.raises(ConfigurationError, match="closed"):
            await explain(mode, client, BODY)

    mode.run(body)


def test_a_key_of_a_function_and_a_model_that_is_a_text(mode: Mode):
    told = explained(mode, api_key=lambda: KEY, request={**BODY, "model": "canary words"})
    assert told.key == "given"
    assert told.model == "(hidden)"
    assert explained(mode, request={"messages": BODY["messages"]}).model is None


def test_as_text(mode: Mode):
    text = str(explained(mode, Wrap(transform(request=lambda r: evolve(r, n=2))), Retries()))
    assert text.splitlines()[0] == "would be sent"
    assert "  1  theirs   transform.<locals>.transforming  (run)" in text
    assert "+ n: 2" in text
    assert "timeout.first_event  120 s" in text
