"""The cache around calls: hits and misses, what is kept, what is not, and for how long."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from attrs import evolve

from orq_core import (
    APIStatusError,
    ConfigurationError,
    InternalServerError,
    Timeout,
    hookimpl,
    to_dict,
    transform,
)
from orq_core.testing import DONE, Cut, Mode, Stall, chunk, completion, reply, stream
from orq_plugins import Redaction
from orq_plugins.caching import CacheMissError, Caching, MemoryStore
from orq_plugins.redaction import Detector
from tests.plugins.talk import HELLO, KEY, OK, OK_STREAM, SERVER, Answer, Talk, ask

ASK = {"temperature": 0}
STREAMED = {**ASK, "stream": True}
DOWN = reply({"error": {"message": "down"}}, status=503)
REFUSED = reply({"error": {"message": "no such model"}}, status=404)


class Clock:
    """Seconds that pass when told to."""

    def __init__(self) -> None:
        self.now = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now


def options(**given: Any) -> dict[str, Any]:
    return {"plugin_options": {"caching": given}}


def results(answers: list[Any]) -> list[str]:
    return [answer.note("caching")["result"] for answer in answers]


@pytest.mark.parametrize("given", [OK, OK_STREAM], ids=["json", "sse"])
@pytest.mark.parametrize("first", [ASK, STREAMED], ids=["whole", "streamed"])
@pytest.mark.parametrize("second", [ASK, STREAMED], ids=["whole", "streamed"])
def test_an_answer_serves_both_kinds_of_calls(mode: Mode, given, first, second):
    talk = Talk(mode, given, plugins=[Caching()])
    direct = Talk(mode, given).one(**second)
    one, two = talk.all(first, second)
    assert talk.sent == 1
    assert results([one, two]) == ["miss", "hit"]
    assert to_dict(two.completion) == to_dict(direct.completion)
    assert one.text == two.text == "hi there"
    assert two.info.attempts == ()
    assert two.note("caching")["age"] >= 0
    assert two.note("caching")["key"] == one.note("caching")["key"]


def test_a_served_answer_is_the_callers_own(mode: Mode):
    talk = Talk(mode, OK, plugins=[Caching()])

    async def body() -> None:
        async with talk.client() as client:
            first = await talk.ask(client, **ASK)
            first.completion.choices[0].message.content = "scribbled over"
            second = await talk.ask(client, **ASK)
            assert second.text == "hi there"

    mode.run(body)


@pytest.mark.parametrize(
    ("policy", "call", "cached"),
    [
        ("deterministic", {"temperature": 0}, True),
        ("deterministic", {"temperature": 0.0}, True),
        ("deterministic", {"seed": 7}, True),
        ("deterministic", {"seed": 7, "n": 1}, True),
        ("deterministic", {"seed": 7, "n": 2}, False),
        ("deterministic", {}, False),
        ("deterministic", {"temperature": None}, False),
        ("deterministic", {"temperature": 0, "extra_body": {"temperature": 1}}, False),
        ("deterministic", {"extra_body": {"temperature": 0}}, True),
        ("all", {}, True),
        ("explicit", {"temperature": 0}, False),
        ("explicit", options(), True),
        (lambda request: request.model == "fake/model", {}, True),
        (lambda request: request.model == "fake/other", {}, False),
    ],
)
def test_which_calls_take_part(mode: Mode, policy, call, cached):
    talk = Talk(mode, OK, plugins=[Caching(policy=policy)])
    answers = talk.all(call, call)
    assert talk.sent == (1 if cached else 2)
    assert results(answers) == (["miss", "hit"] if cached else ["bypass", "bypass"])


class Changing:
    """Stands outside of the cache and sends every request with other fields."""

    def __init__(self, **fields: Any) -> None:
        self.fields = fields

    @hookimpl(tryfirst=True)
    def orq_wrap_create(self, call: Any) -> Any:
        return transform(request=lambda request: evolve(request, **self.fields))


@pytest.mark.parametrize(
    ("fields", "call", "cached"),
    [
        ({"temperature": 1.0}, ASK, False),
        ({"temperature": 1.0}, STREAMED, False),
        ({"n": 2}, ASK, False),
        ({"temperature": 0}, {}, False),
        ({"model": "fake/other"}, ASK, True),
    ],
)
def test_what_other_layers_made_of_the_request_has_to_take_part(mode: Mode, fields, call, cached):
    talk = Talk(mode, OK, plugins=[Changing(**fields), Caching()])
    answers = talk.all(call, call)
    assert talk.sent == (1 if cached else 2)
    assert results(answers) == (["miss", "hit"] if cached else ["bypass", "bypass"])

    async def body() -> Any:
        async with talk.client() as client:
            given = {"messages": HELLO, "model": "fake/model", **call}
            told = client.explain(**given)
            return await told if mode.is_async else told

    (facts,) = [layer.facts for layer in mode.run(body).layers if layer.plugin == "caching"] or [{}]
    assert facts.get("result", "bypass") == ("hit" if cached else "bypass")


NOT_KEPT = {
    "truncated": stream(chunk("a")),
    "broken": stream(chunk("a"), Cut()),
    "error event": stream(chunk("a"), {"error": {"message": "overloaded"}}),
    "length": reply(completion("a", finish_reason="length")),
    "filtered": reply(completion("a", finish_reason="content_filter")),
    "refused": reply(completion(None, refusal="I will not")),
    "streamed refusal": stream(chunk(refusal="no"), chunk(finish_reason="stop"), DONE),
    "refused in a part": reply(completion([{"type": "refusal", "refusal": "no"}])),
    "streamed refusal in a part": stream(
        chunk([{"type": "refusal", "refusal": "no"}]), chunk(finish_reason="stop"), DONE
    ),
    "refused beside a delta": stream(
        {"choices": [{"delta": {"role": "assistant"}, "message": {"refusal": "no"}}]},
        chunk(finish_reason="stop"),
        DONE,
    ),
    "streamed length": stream(chunk("a"), chunk(finish_reason="length"), DONE),
    "one of two": stream(chunk("a"), chunk("b", index=1), chunk(finish_reason="stop"), DONE),
    "status": DOWN,
    "not found": REFUSED,
    "no choices": reply({"id": "x", "choices": []}),
}


@pytest.mark.parametrize("name", NOT_KEPT)
@pytest.mark.parametrize("call", [ASK, STREAMED], ids=["whole", "streamed"])
def test_what_did_not_end_well_is_not_kept(mode: Mode, name, call):
    store = MemoryStore()
    talk = Talk(
        mode,
        NOT_KEPT[name],
        OK,
        plugins=[Caching(store=store, secret=b"fake")],
        timeout=Timeout(idle=5),
    )
    _, second = talk.all(call, call)
    assert talk.sent == 2
    assert second.note("caching")["result"] == "miss"
    assert second.text == "hi there"


@pytest.mark.parametrize("policy", ["accept", "warn"])
def test_an_accepted_truncation_is_not_kept(mode: Mode, policy):
    talk = Talk(mode, NOT_KEPT["truncated"], OK, plugins=[Caching()], on_truncation=policy)
    with pytest.warns(RuntimeWarning) if policy == "warn" else _nothing():
        one, two = talk.all(STREAMED, STREAMED)
    assert (one.text, two.text) == ("a", "hi there")


def _nothing() -> Any:
    from contextlib import nullcontext

    return nullcontext()


def test_a_stream_left_early_is_not_kept(mode: Mode):
    talk = Talk(mode, OK_STREAM, OK, plugins=[Caching()])

    async def body() -> None:
        async with talk.client() as client:
            given = {"messages": HELLO, "model": "fake/model", **STREAMED}
            opened = await mode.create(client, **given)
            async for _ in mode.iterate(opened):
                break
            await mode.close(opened)
            second = await talk.ask(client, **ASK)
            assert second.note("caching")["result"] == "miss"

    mode.run(body)
    assert talk.sent == 2
    assert talk.transport.open_responses == 0


def test_tool_calls_are_kept(mode: Mode):
    calls = [
        {"id": "c", "type": "function", "function": {"name": "f", "arguments": '{"a": "\\u00e9"}'}}
    ]
    body = completion(None, finish_reason="tool_calls", tool_calls=calls, reasoning="because")
    talk = Talk(mode, reply(body), plugins=[Caching()])
    one, two = talk.all(ASK, STREAMED)
    assert talk.sent == 1
    assert to_dict(one.completion) == body
    assert (
        to_dict(two.completion.choices[0].message.tool_calls[0])["function"]
        == (calls[0]["function"])
    )
    assert two.completion.choices[0].message.reasoning == "because"


def test_answers_grow_old(mode: Mode):
    clock = Clock()
    talk = Talk(mode, OK, plugins=[Caching(ttl=60, clock=clock)])

    async def body() -> None:
        async with talk.client() as client:
            for seconds, result in [(0, "miss"), (59, "hit"), (2, "miss"), (10, "hit")]:
                clock.now += seconds
                answer = await talk.ask(client, **ASK)
                assert answer.note("caching")["result"] == result
            answer = await talk.ask(client, **ASK, **options(ttl=5))
            assert answer.note("caching")["result"] == "miss"

    mode.run(body)


def test_a_stale_answer_serves_while_a_new_one_is_fetched(mode: Mode):
    clock = Clock()
    plugin = Caching(ttl=60, stale_while_revalidate=60, clock=clock)
    talk = Talk(mode, OK, reply(completion("newer")), plugins=[plugin])

    async def body() -> list[Any]:
        async with talk.client() as client:
            first = await talk.ask(client, **ASK)
            clock.now += 70
            second = await talk.ask(client, **ASK)
            await plugin._flights.settle(client.runtime)
            third = await talk.ask(client, **ASK)
            return [first, second, third]

    answers = mode.run(body)
    assert results(answers) == ["miss", "stale", "hit"]
    # What was fetched meanwhile is another request than its own.
    assert [len(answer.info.attempts) for answer in answers] == [1, 0, 0]
    assert [answer.info.status for answer in answers] == [200, None, None]
    assert [answer.text for answer in answers] == ["hi there", "hi there", "newer"]
    assert talk.sent == 2


@pytest.mark.parametrize("call", [ASK, STREAMED], ids=["whole", "streamed"])
def test_a_stale_answer_serves_when_the_router_is_down(mode: Mode, call):
    clock = Clock()
    plugin = Caching(ttl=60, stale_if_error=600, clock=clock)
    talk = Talk(mode, OK, DOWN, REFUSED, plugins=[plugin])

    async def body() -> list[Any]:
        async with talk.client() as client:
            first = await talk.ask(client, **call)
            clock.now += 100
            second = await talk.ask(client, **call)
            refused = await talk.ask(client, **call)
            return [first, second, refused]

    first, second, refused = mode.run(body)
    assert second.text == first.text
    assert second.note("caching")["result"] == "stale"
    assert second.note("caching")["error"] == "InternalServerError"
    assert second.note("caching")["age"] == 100
    # A request that is wrong stays wrong.
    assert isinstance(refused.error, APIStatusError)


def test_a_stale_answer_serves_when_a_whole_answer_breaks_off(mode: Mode):
    clock = Clock()
    broken = stream(chunk("", role="assistant"), Cut())
    talk = Talk(mode, OK, broken, plugins=[Caching(ttl=60, stale_if_error=600, clock=clock)])

    async def body() -> str:
        async with talk.client() as client:
            await talk.ask(client, **ASK)
            clock.now += 100
            return (await talk.ask(client, **ASK)).note("caching")["result"]

    assert mode.run(body) == "stale"


def test_an_answer_too_old_does_not_serve(mode: Mode):
    clock = Clock()
    talk = Talk(mode, OK, DOWN, plugins=[Caching(ttl=60, stale_if_error=10, clock=clock)])

    async def body() -> None:
        async with talk.client() as client:
            await talk.ask(client, **ASK)
            clock.now += 71
            assert isinstance((await talk.ask(client, **ASK)).error, InternalServerError)

    mode.run(body)


def test_what_a_call_may_ask(mode: Mode):
    talk = Talk(mode, OK, plugins=[Caching()])
    answers = talk.all(
        {**ASK, **options(no_store=True)},
        {**ASK, **options(only_if_cached=True)},
        {**ASK, **options(bypass=True)},
        {**ASK, **options(only_if_cached=True)},
        ASK,
        {**ASK, **options(only_if_cached=True)},
        {**ASK, **options(bypass=True)},
    )
    assert [type(answer.error) for answer in answers[1:4:2]] == [CacheMissError] * 2
    assert results([answers[4], answers[5], answers[6]]) == ["miss", "hit", "bypass"]
    assert talk.sent == 4


@pytest.mark.parametrize(
    "given",
    [{"ttl": -1}, {"ttl": True}, {"bypass": 1}, {"namespace": 3}, {"tll": 1}, {"no_store": "yes"}],
    ids=str,
)
def test_what_a_call_may_not_ask(mode: Mode, given):
    answer = Talk(mode, OK, plugins=[Caching()]).one(**ASK, **options(**given))
    assert isinstance(answer.error, ConfigurationError)
    assert next(iter(given)) in str(answer.error)


@pytest.mark.parametrize(
    "given", [{"policy": "always"}, {"ttl": -1}, {"secret": "text"}, {"stale_if_error": None}]
)
def test_arguments_are_checked(given):
    with pytest.raises(ConfigurationError, match=next(iter(given))):
        Caching(**given)


def test_tenants_do_not_see_each_others_answers(mode: Mode):
    store = MemoryStore()
    first = Talk(mode, OK, plugins=[Caching(store=store, secret=b"fake")])
    other = {"api_key": "fake-key-of-another"}
    second = Talk(mode, OK, plugins=[Caching(store=store, secret=b"fake")], **other)
    again = Talk(mode, OK, plugins=[Caching(store=store, secret=b"fake")])
    header = Talk(mode, OK, plugins=[Caching(store=store, secret=b"fake")])
    for talk in (first, second, again):
        talk.one(**ASK)
    header.one(**ASK, http_headers={"authorization": "Bearer fake-of-a-third"})
    assert [talk.sent for talk in (first, second, again, header)] == [1, 1, 0, 1]


@pytest.mark.parametrize("header", ["api-key", "X-API-Key", "Cookie", "x-goog-api-key"])
def test_tenants_may_be_known_by_other_headers(mode: Mode, header):
    talk = Talk(mode, OK, plugins=[Caching()])
    calls = [{**ASK, "http_headers": {header: who}} for who in ("fake-a", "fake-b", "fake-a")]
    assert results(talk.all(*calls, {**ASK, "http_headers": {"x-trace": "t"}}, ASK)) == [
        "miss",
        "miss",
        "hit",
        "miss",
        "hit",
    ]


@pytest.mark.parametrize("asked", ["audit", "off"])
def test_what_one_call_leaves_in_an_answer_is_not_served_to_another(mode: Mode, asked: str):
    said = reply(completion("bob@private.test does"))
    talk = Talk(mode, said, plugins=[Redaction(), Caching(policy="all")])
    open_call = {"plugin_options": {"redaction": {"mode": asked}}}
    answers = talk.all(open_call, {}, open_call, {})
    assert [answer.text for answer in answers] == ["bob@private.test does", "[EMAIL] does"] * 2
    assert results(answers) == ["miss", "miss", "hit", "hit"]


@pytest.mark.parametrize(
    "other",
    [
        {"mode": "audit"},
        {"detectors": ()},
        {"detectors": (Detector("CODE", "bob"),)},
        {"answer_action": "drop"},
        {"answer_actions": {"EMAIL": "drop"}},
    ],
    ids=str,
)
def test_who_redacts_in_another_way_is_served_other_answers(mode: Mode, other: dict[str, Any]):
    store = MemoryStore()

    def asked(**settings: Any) -> Answer:
        plugins = [Redaction(**settings), Caching(policy="all", store=store)]
        return Talk(mode, reply(completion("bob@private.test does")), plugins=plugins).one()

    answers = [asked(**other), asked(), asked(mode="enforce")]
    assert answers[0].text != answers[1].text == answers[2].text == "[EMAIL] does"
    assert results(answers) == ["miss", "miss", "hit"]


def test_servers_told_apart_by_their_query(mode: Mode):
    talk = Talk(mode, OK, plugins=[Caching()])
    urls = [f"{SERVER}/v1?deployment={name}" for name in "aba"]
    answers = talk.all(*({**ASK, "server_url": url} for url in urls))
    assert results(answers) == ["miss", "miss", "hit"]


def test_a_namespace_is_shared(mode: Mode):
    store = MemoryStore()
    sent = []
    for key in ("fake-one", "fake-two"):
        plugin = Caching(store=store, secret=b"fake", namespace="everybody")
        talk = Talk(mode, OK, plugins=[plugin], api_key=key)
        talk.one(**ASK)
        sent.append(talk.sent)
    assert sent == [1, 0]


def test_caches_of_one_store_share_its_secret(mode: Mode):
    store = MemoryStore()
    sent = []
    for _ in range(2):
        talk = Talk(mode, OK, plugins=[Caching(store=store)])
        talk.one(**ASK)
        sent.append(talk.sent)
    assert sent == [1, 0]


def test_an_answer_too_large_passes_and_is_not_kept(mode: Mode):
    parts = [chunk("x" * 100) for _ in range(50)]
    large = stream(*parts, chunk(finish_reason="stop"), DONE)
    talk = Talk(mode, large, plugins=[Caching(max_entry_bytes=1000)])
    answers = talk.all(STREAMED, STREAMED)
    assert [len(answer.text) for answer in answers] == [5000, 5000]
    assert talk.sent == 2


def test_an_integer_beyond_64_bits_passes_and_is_not_kept(mode: Mode):
    body = {**completion("hi"), "nonce": 2**80}
    talk = Talk(mode, reply(body), plugins=[Caching()])
    answers = talk.all(ASK, ASK)
    assert [to_dict(answer.completion) for answer in answers] == [body, body]
    assert talk.sent == 2


class BrokenStore:
    """Fails at everything."""

    async def get(self, *_: Any) -> Any:
        raise OSError("the disk is on fire")

    set = delete = acquire = release = close = get


class StuckStore(MemoryStore):
    """Is asked and never answers."""

    async def get(self, runtime: Any, key: str) -> Any:
        import asyncio

        if runtime.is_async:
            await asyncio.sleep(60)
        return await super().get(runtime, key)


def test_a_store_that_fails_is_a_miss_and_said_once(mode: Mode, caplog):
    plugin = Caching(store=BrokenStore())
    talk = Talk(mode, OK, plugins=[plugin])
    with caplog.at_level(logging.WARNING, "orq"):
        answers = talk.all(ASK, ASK, STREAMED)
    assert [answer.text for answer in answers] == ["hi there"] * 3
    assert results(answers) == ["miss"] * 3
    assert len(caplog.records) == 1
    assert "on fire" not in caplog.text
    assert plugin.store.failures > 6


def test_a_store_that_hangs_is_a_miss():
    mode = Mode("async")
    talk = Talk(mode, OK, plugins=[Caching(store=StuckStore(), secret=b"x", store_timeout=0.01)])
    answers = talk.all(ASK, ASK)
    assert results(answers) == ["miss", "miss"]


def test_a_damaged_entry_is_a_miss(mode: Mode):
    class Damaged(MemoryStore):
        async def get(self, runtime: Any, key: str) -> Any:
            found = await super().get(runtime, key)
            return found and b"\x00" + found

    talk = Talk(mode, OK, plugins=[Caching(store=Damaged(), secret=b"x")])
    assert results(talk.all(ASK, ASK)) == ["miss", "miss"]


def test_no_key_in_any_repr(mode: Mode):
    plugin = Caching(secret=b"fake-secret-of-the-cache")
    Talk(mode, OK, plugins=[plugin]).one(**ASK)
    shown = repr(plugin) + repr(vars(plugin))
    assert KEY not in shown
    assert "fake-secret" not in shown


def test_the_answer_of_a_stalled_leader(mode: Mode):
    talk = Talk(mode, stream(chunk("a"), Stall()), OK, plugins=[Caching()])

    async def body() -> None:
        async with talk.client() as client:
            first = await ask(mode, client, **STREAMED)
            assert first.error is not None
            assert first.text == "a"
            assert (await ask(mode, client, **ASK)).text == "hi there"

    mode.run(body)
