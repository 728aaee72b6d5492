"""What the plugins of this package tell of themselves, and that telling leaves no trace."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest

from orq_core import Explanation
from orq_core.testing import LocalRouter, Mode, Reply, completion, reply
from orq_plugins import (
    Budget,
    BudgetLimit,
    Caching,
    Logging,
    MemoryStore,
    RateLimit,
    Redaction,
    Retries,
    Sealed,
    SQLiteStore,
    Tracing,
)
from orq_plugins.redaction import Vault

KEY = "fake-key-canary-2"
MAIL = "canary.fake@example.com"
ASK: dict[str, Any] = {
    "model": "fake/model",
    "messages": [{"role": "user", "content": f"I am {MAIL}, yes, {MAIL} and 192.0.2.7"}],
    "temperature": 0,
}
ANSWER: Reply = reply(completion("canary answer"))


async def explain(mode: Mode, client: Any, **fields: Any) -> Explanation:
    told = client.explain(**fields)
    told = await told if mode.is_async else told
    for text in (str(told), json.dumps(told.to_dict())):
        assert "canary" not in text
        assert "192.0.2.7" not in text
    return told


def facts(told: Explanation, plugin: str) -> Any:
    reports = [each for each in (*told.layers, *told.aside) if each.plugin == plugin]
    return reports[0].facts


STORES = ["memory", "sqlite", "sealed"]


@pytest.fixture(params=STORES)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    if request.param == "memory":
        return MemoryStore()
    inner = SQLiteStore(tmp_path / "answers.sqlite3")
    return inner if request.param == "sqlite" else Sealed(inner, Sealed.generate_key())


def files(folder: Path) -> dict[str, bytes]:
    # The index in shared memory notes who reads.
    kept = (path for path in folder.iterdir() if not path.name.endswith("-shm"))
    return {path.name: path.read_bytes() for path in kept}


def test_a_miss_and_then_a_hit(mode: Mode, orq_router: LocalRouter, store: Any, tmp_path: Path):
    orq_router.always(ANSWER)
    caching = Caching(store=store)

    async def body() -> None:
        async with mode.client(
            server_url=orq_router.url, api_key=KEY, plugins=[caching], discover=False
        ) as client:
            told = await explain(mode, client, **ASK)
            assert facts(told, "caching")["result"] == "miss"
            assert facts(told, "caching")["key"] == "none yet"
            assert told.outcome == "sent"
            assert files(tmp_path) == {}
            answer = await mode.create(client, **ASK)
            key = answer.info.notes["caching"]["key"]
            before = files(tmp_path)
            told = await explain(mode, client, **ASK)
            assert facts(told, "caching")["key"] == key
            assert facts(told, "caching")["result"] == "hit"
            assert told.outcome == "answered"
            other = await explain(mode, client, **{**ASK, "seed": 2})
            assert facts(other, "caching")["result"] == "miss"
            assert facts(other, "caching")["key"] != key
            assert files(tmp_path) == before
        before = files(tmp_path)
        async with mode.client(
            server_url=orq_router.url, api_key=KEY, plugins=[Caching(store=store)], discover=False
        ) as client:
            told = await explain(mode, client, **ASK)
            assert facts(told, "caching")["result"] == "hit", "also of a file that nobody has open"
            assert files(tmp_path) == before

    mode.run(body)
    assert len(orq_router.requests) == 1


def test_a_memory_store_stays_empty_and_its_order_as_it_is(mode: Mode):
    store = MemoryStore()

    async def body() -> None:
        runtime = None
        await store.set(runtime, "a", b"1", None)  # type: ignore[arg-type]
        await store.set(runtime, "b", b"2", 0)  # type: ignore[arg-type]
        assert await store.peek(runtime, "a") == b"1"  # type: ignore[arg-type]
        assert await store.peek(runtime, "b") is None  # type: ignore[arg-type]
        assert await store.peek(runtime, "c") is None  # type: ignore[arg-type]
        assert list(store._values) == ["a", "b"]

    mode.run(body)
    assert len(store) == 2


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"bypass": True}, {"result": "bypass", "policy": "deterministic"}),
        ({"no_store": True, "ttl": 5}, {"result": "miss", "stores": False, "ttl": 5}),
    ],
)
def test_options_of_a_call(mode: Mode, options: dict[str, Any], expected: dict[str, Any]):
    async def body() -> Explanation:
        async with mode.client(api_key=KEY, plugins=[Caching()], discover=False) as client:
            return await explain(mode, client, plugin_options={"caching": options}, **ASK)

    told = facts(mode.run(body), "caching")
    assert {name: told[name] for name in expected} == expected


def test_only_if_cached_would_be_refused(mode: Mode):
    async def body() -> Explanation:
        async with mode.client(api_key=KEY, plugins=[Caching()], discover=False) as client:
            options = {"caching": {"only_if_cached": True}}
            return await explain(mode, client, plugin_options=options, **ASK)

    told = mode.run(body)
    assert told.outcome == "refused"
    assert told.problems[0].startswith("caching: CacheMissError: only_if_cached")


def test_a_store_that_fails_or_can_not_peek(mode: Mode):
    class Broken(MemoryStore):
        peek = None  # type: ignore[assignment]

        async def get(self, runtime: Any, key: str) -> bytes | None:
            raise OSError(MAIL)

    class Older(MemoryStore):
        peek = property()  # type: ignore[assignment]

    async def body(store: MemoryStore) -> Explanation:
        async with mode.client(
            api_key=KEY, plugins=[Caching(store=store)], discover=False
        ) as client:
            return await explain(mode, client, **ASK)

    broken = facts(mode.run(lambda: body(Broken())), "caching")
    assert (broken["result"], broken["store"]) == ("miss", "failed (TypeError)")
    assert facts(mode.run(lambda: body(Older())), "caching")["key"] == "none yet"


def test_redactions_by_entity_and_the_vault_as_it_was(mode: Mode):
    vault = Vault()
    vault.placeholder("EMAIL", "first@example.com")

    async def body() -> Explanation:
        async with mode.client(api_key=KEY, plugins=[Redaction()], discover=False) as client:
            return await explain(
                mode, client, plugin_options={"redaction": {"vault": vault}}, **ASK
            )

    told = mode.run(body)
    assert facts(told, "redaction") == {
        "mode": "enforce",
        "redacted": {"EMAIL": {"placeholder": 2}, "IPV4": {"placeholder": 1}},
    }
    assert str(told.layers[0].changes[0]) == "~ messages[0].content: 1 value masked"
    assert [each.plugin for each in told.layers] == ["redaction", "redaction"]
    assert len(vault) == 1


@pytest.mark.parametrize(("settings", "changed"), [({"mode": "audit"}, 0), ({"mode": "off"}, 0)])
def test_redaction_that_changes_nothing(mode: Mode, settings: dict[str, Any], changed: int):
    async def body() -> Explanation:
        async with mode.client(
            api_key=KEY, plugins=[Redaction(**settings)], discover=False
        ) as client:
            return await explain(mode, client, **ASK)

    told = mode.run(body)
    assert facts(told, "redaction")["mode"] == settings["mode"]
    assert sum(len(each.changes) for each in told.layers) == changed


def test_what_redaction_blocks_is_refused(mode: Mode):
    async def body() -> Explanation:
        plugins = [Redaction(actions={"EMAIL": "block"})]
        async with mode.client(api_key=KEY, plugins=plugins, discover=False) as client:
            return await explain(mode, client, **ASK)

    told = mode.run(body)
    assert told.outcome == "refused"
    assert told.problems[0] == (
        "redaction: ContentBlockedError: the request holds EMAIL, which is blocked"
    )


def test_the_key_is_that_of_the_redacted_request(mode: Mode, orq_router: LocalRouter):
    orq_router.always(ANSWER)

    async def body() -> None:
        plugins = [Caching(), Redaction()]
        async with mode.client(
            server_url=orq_router.url, api_key=KEY, plugins=plugins, discover=False
        ) as client:
            answer = await mode.create(client, **ASK)
            told = await explain(mode, client, **ASK)
            assert facts(told, "caching")["result"] == "hit"
            assert facts(told, "caching")["key"] == answer.info.notes["caching"]["key"]

    mode.run(body)


def test_nothing_is_logged(mode: Mode, caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.DEBUG, "orq")

    async def body() -> Explanation:
        plugins = [Logging(content="full"), Retries(), Caching(), Redaction()]
        async with mode.client(api_key=KEY, plugins=plugins, discover=False) as client:
            return await explain(mode, client, **ASK)

    told = mode.run(body)
    assert caplog.records == []
    assert facts(told, "logging") == {
        "writes": ["orq.call INFO", "orq.attempt DEBUG", "orq.stream DEBUG"],
        "content": "full",
        "sampled": "100%",
    }
    assert [each.plugin for each in told.layers] == [
        "redaction",
        "logging",
        "caching",
        "retries",
        "redaction",
    ]


def test_no_span_is_started(mode: Mode):
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))

    async def body() -> Explanation:
        plugins = [Tracing(tracer_provider=provider)]
        async with mode.client(api_key=KEY, plugins=plugins, discover=False) as client:
            return await explain(mode, client, **ASK)

    told = mode.run(body)
    provider.shutdown()
    assert exporter.get_finished_spans() == ()
    assert told.headers["traceparent"] == "tracing"
    assert facts(told, "tracing")["content"] == "off"


def test_no_turn_is_taken(mode: Mode):
    limit = RateLimit(requests_per_minute=1, concurrency=1, max_wait=7)

    async def body() -> Explanation:
        async with mode.client(api_key=KEY, plugins=[limit, Retries()], discover=False) as client:
            for _ in range(3):
                told = await explain(mode, client, **ASK)
            bypassed = await explain(
                mode, client, plugin_options={"rate_limit": {"bypass": True}}, **ASK
            )
            assert facts(bypassed, "rate_limit") == {"bypass": True}
            return told

    told = mode.run(body)
    assert facts(told, "rate_limit")["limits"] == {"requests": 1, "concurrency": 1}
    assert facts(told, "rate_limit")["expected_tokens"] > 512
    assert told.worst_case.attempts == 3
    assert told.worst_case.pauses == 120 + 3 * 7


def test_no_budget_is_spent(mode: Mode):
    warned: list[object] = []
    budget = Budget(BudgetLimit(tokens=600, period="day", soft=0.01), on_soft=warned.append)

    async def body() -> None:
        async with mode.client(api_key=KEY, plugins=[budget], discover=False) as client:
            for _ in range(3):
                told = await explain(mode, client, **ASK)
                [each] = facts(told, "budget")["budgets"]
                assert (each["tokens"], each["spent_tokens"]) == (600, 0)
            refused = await explain(mode, client, **ASK, max_tokens=1000)
            assert refused.outcome == "refused"
            assert "BudgetExceededError" in refused.problems[0]

    mode.run(body)
    assert budget.store._kept == {}
    assert warned == []


def test_a_refusal_that_names_a_user_is_told_without_the_name(mode: Mode):
    budget = Budget(BudgetLimit(tokens=5), scope="metadata.user")

    async def body() -> None:
        async with mode.client(api_key=KEY, plugins=[budget], discover=False) as client:
            told = await explain(mode, client, **ASK, metadata={"user": MAIL})
            assert told.outcome == "refused"
            assert told.problems == ("budget: BudgetExceededError: (hidden)",)

    mode.run(body)
