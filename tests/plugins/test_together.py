"""The four plugins around one call, in any order."""

from __future__ import annotations

import itertools
import json
import logging
import traceback
from pathlib import Path
from typing import Any

import pytest

from orq_core import AsyncOrq, Orq, to_dict
from orq_core.testing import (
    DONE,
    LocalRouter,
    Mode,
    Reply,
    Send,
    chunk,
    completion,
    echo,
    reply,
    stream,
)
from orq_core.testing.received import Received
from orq_plugins import (
    Budget,
    BudgetLimit,
    Caching,
    Logging,
    RateLimit,
    Redaction,
    Retries,
    SQLiteStore,
)
from tests.plugins.talk import Talk, ask

FOUR = (Logging, Caching, Redaction, Retries)
ORDERS = list(itertools.permutations(FOUR))
MAIL = "canary.fake@example.com"
ASK = {"messages": [{"role": "user", "content": f"I am {MAIL}"}], "temperature": 0}
DOWN = reply({"error": {"message": "down"}}, status=503, headers={"retry-after": "0"})
ANSWER = "Dear <EMAIL_1>, write to other.fake@example.com."
WHOLE = reply(completion(ANSWER))
STREAMED = stream(
    chunk("", role="assistant"),
    *[chunk(ANSWER[at : at + 5]) for at in range(0, len(ANSWER), 5)],
    chunk(finish_reason="stop"),
    DONE,
)
TRUNCATED = stream(chunk("Dear <EMA"), chunk("IL_1>, wri"))
SAID = f"Dear {MAIL}, write to [EMAIL]."


def plugins(order: tuple[Any, ...]) -> list[Any]:
    return [kind(random=lambda: 0.0) if kind is Retries else kind() for kind in order]


def seen(answer: Any) -> Any:
    """Return what the caller is given, without times, ids and digests."""
    notes = {} if answer.info is None else answer.info.notes
    varies = {"age", "key", "waited", "pauses"}
    told = {
        name: {key: value for key, value in note.items() if key not in varies}
        for name, note in sorted(notes.items())
    }
    return (
        None if answer.completion is None else to_dict(answer.completion),
        [to_dict(each) for each in answer.chunks],
        answer.error and (type(answer.error), str(answer.error)),
        0 if answer.info is None else len(answer.info.attempts),
        told,
    )


SCRIPTS = {
    "miss": [STREAMED],
    "retried": [DOWN, STREAMED],
    "truncated": [TRUNCATED],
}


@pytest.mark.parametrize("name", SCRIPTS)
@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
def test_every_order_gives_the_same(mode: Mode, name: str, streamed: bool):
    results = []
    for order in ORDERS:
        talk = Talk(mode, *SCRIPTS[name], plugins=plugins(order))
        first, second = talk.all({**ASK, "stream": streamed}, {**ASK, "stream": streamed})
        results.append((seen(first), seen(second), talk.sent))
    assert all(result == results[0] for result in results)
    (first, second, sent) = results[0]
    if name == "truncated":
        assert first[2] is not None
        if streamed:
            assert first[0]["choices"][0]["message"]["content"] == f"Dear {MAIL}, wri"
        return
    assert [each[0]["choices"][0]["message"]["content"] for each in (first, second)] == [SAID] * 2
    assert [each[4]["caching"]["result"] for each in (first, second)] == ["miss", "hit"]
    assert sent == len(SCRIPTS[name])
    assert (first[3], second[3]) == (sent, 0)


@pytest.mark.parametrize("order", ORDERS, ids=lambda order: "".join(k.__name__[:3] for k in order))
def test_where_each_stands(mode: Mode, order: Any):
    talk = Talk(mode, WHOLE, plugins=plugins(order))

    async def body() -> list[str]:
        async with talk.client() as client:
            call = await _call_of(mode, client)
            layers = client._core.manager.hook.orq_wrap_create(call=call)
            return [layer.__qualname__ for layer in layers]

    assert mode.run(body) == [
        "_Passage.outer",
        "Logging.around",
        "Lookup.around",
        "Retries.around",
        "_Passage.inner",
    ]


SIX = [
    (*some, *others)
    for some in itertools.permutations((Budget, RateLimit, Redaction, Retries))
    for others in ((Logging, Caching), (Caching, Logging))
]


@pytest.mark.parametrize("order", SIX, ids=lambda order: "".join(k.__name__[:3] for k in order))
@pytest.mark.parametrize("found", [False, True], ids=["given", "found"])
def test_where_limits_stand(mode: Mode, order: Any, found: bool):
    """Inside of the cache and of the repeats, whether those are given or found."""
    kinds = [kind for kind in order if not (found and kind is Retries)]
    given = [Budget(BudgetLimit(tokens=9)) if kind is Budget else kind() for kind in kinds]
    talk = Talk(mode, WHOLE, plugins=given, discover=found)

    async def body() -> list[str]:
        async with talk.client() as client:
            call = await _call_of(mode, client)
            layers = client._core.manager.hook.orq_wrap_create(call=call)
            return [layer.__qualname__ for layer in layers]

    assert mode.run(body) == [
        "_Passage.outer",
        "Logging.around",
        "Lookup.around",
        "Retries.around",
        "Budget.around",
        "RateLimit.around",
        "_Passage.inner",
    ]


async def _call_of(mode: Mode, client: Any) -> Any:
    """Return a call as the hooks of this client are given it."""
    from orq_core import CallOptions
    from orq_core.call import Call
    from orq_core.limits import Limits, Timeout
    from orq_core.models import build_request, make_converter

    return Call(
        build_request(make_converter(), {"model": "fake/model", **ASK}),
        stream=False,
        url="https://router.example.test/v2/router/chat/completions",
        options=CallOptions(),
        runtime=client.runtime,
        limits=Limits.start(Timeout()),
    )


@pytest.mark.parametrize("client", [Orq, AsyncOrq])
def test_no_arguments_are_needed(client: Any):
    given = [Logging(), Caching(), Redaction(), Retries()]
    made = client("fake-key", plugins=given)
    assert {name for name, _ in made.plugins} == {"logging", "caching", "redaction", "retries"}
    assert dict(made.plugins)["retries"] is given[3]


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("fails", [False, True], ids=["ok", "fails"])
def test_a_private_value_is_nowhere(
    mode: Mode, streamed: bool, fails: bool, orq_router: LocalRouter, tmp_path: Path, caplog: Any
):
    for name in ("orq", "urllib3", "aiohttp", "asyncio"):
        caplog.set_level(logging.DEBUG, name)
    store = SQLiteStore(tmp_path / "answers.sqlite3")
    given = [
        Logging(content="full", events_every=1),
        Caching(store=store, policy="all"),
        Redaction(),
        Retries(random=lambda: 0.0),
    ]

    def quoting(received: Received) -> Reply:
        if fails:
            said = json.loads(received.body)["messages"][-1]["content"]
            return reply({"error": {"message": f"can't do: {said}", "code": "bad"}}, status=400)
        return echo(received)

    orq_router.always(quoting)
    errors: list[BaseException] = []

    async def body() -> list[Any]:
        client = {"api_key": "fake-key", "server_url": orq_router.url, "plugins": given}
        async with mode.client(**client, discover=False) as opened:
            answers = [await ask(mode, opened, **ASK, stream=streamed) for _ in range(2)]
            errors.extend(answer.error for answer in answers if answer.error)
            shown.extend([repr(opened), *map(repr, given), repr(answers[0].info)])
            return answers

    shown: list[str] = []
    answers = mode.run(body)
    assert bool(errors) == fails
    if not fails:
        assert [answer.note("caching")["result"] for answer in answers] == ["miss", "hit"]
        assert all(MAIL in answer.text for answer in answers)
    for error in errors:
        shown += [repr(error), str(error), "".join(traceback.format_exception(error))]
        shown.append(repr(vars(error)))
    shown += [record.getMessage() + repr(vars(record)) for record in caplog.records]
    assert "canary" not in "".join(shown)
    assert any("<EMAIL_1>" in each for each in shown)
    assert all(b"canary" not in request.body for request in orq_router.requests)
    on_disk = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert (b"EMAIL_1" in on_disk) is not fails
    assert b"canary" not in on_disk


def test_an_answer_that_arrives_with_its_request_id(mode: Mode):
    """What a cache, a log and repeats leave alone: the call's own facts."""
    headers = {"x-request-id": "req-fake"}
    given = Reply(200, {**WHOLE.headers, **headers}, (Send(WHOLE.body),))
    answer = Talk(mode, given, plugins=plugins(FOUR)).one(**ASK)
    assert answer.info.request_id == "req-fake"
    assert answer.info.status == 200
    assert answer.text == SAID
