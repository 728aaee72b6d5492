"""With real sockets, and as a client finds the plugin by itself."""

from __future__ import annotations

from typing import Any

import pytest

from orq_core import (
    APIConnectionError,
    AuthenticationError,
    ConfigurationError,
    InternalServerError,
    Orq,
    StreamInterruptedError,
)
from orq_core.testing import (
    DONE,
    Cut,
    LocalRouter,
    Mode,
    Reset,
    Send,
    chunk,
    error_event,
    reply,
    stream,
)
from orq_plugins.retries import Retries
from tests.plugins.retries.scene import HELLO, ROLE, HastyRuntime

WHOLE = stream(ROLE, chunk("h"), chunk("i"), chunk(finish_reason="stop"), DONE)
ASKED: dict[str, Any] = {"messages": HELLO, "model": "fake/model"}


@pytest.fixture(autouse=True)
def chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORQ_PLUGINS", "retries")


def run(mode: Mode, url: str, client: Any = None, **arguments: Any) -> Any:
    """Return the text, or the error."""

    async def body() -> Any:
        async with mode.client(server_url=url, api_key="fake-key", **(client or {})) as made:
            made._core.runtime = HastyRuntime(mode.is_async)
            try:
                answer = await mode.create(made, **ASKED, **arguments)
                if arguments.get("stream"):
                    answer = await mode.completion(answer)
            except Exception as error:
                return error
            return answer.text

    return mode.run(body)


@pytest.mark.parametrize(
    "broken",
    [
        reply(status=500),
        reply({"error": {"message": "busy"}}, status=429, headers={"Retry-After": "1"}),
        stream(Cut()),
        stream(Reset()),
        stream(ROLE, Cut()),
        stream(ROLE),
        stream(Send(b": begun\n\n"), Cut()),
        stream(ROLE, error_event(code="overloaded")),
    ],
    ids=["500", "429", "cut", "reset", "cut after role", "truncated", "cut comments", "event"],
)
def test_failures_that_pass(mode: Mode, orq_router: LocalRouter, broken: Any) -> None:
    orq_router.enqueue(broken, broken, WHOLE)
    assert run(mode, orq_router.url, stream=True) == "hi"
    names = {received.headers["idempotency-key"] for received in orq_router.requests}
    assert (len(orq_router.requests), len(names)) == (3, 1)
    assert len({received.body for received in orq_router.requests}) == 1


@pytest.mark.parametrize(
    ("broken", "kind"),
    [
        (reply(status=401), AuthenticationError),
        (stream(ROLE, chunk("h"), Cut()), StreamInterruptedError),
    ],
    ids=["401", "content"],
)
def test_failures_that_do_not(mode: Mode, orq_router: LocalRouter, broken: Any, kind: Any) -> None:
    orq_router.enqueue(broken)
    assert isinstance(run(mode, orq_router.url, stream=True), kind)
    assert len(orq_router.requests) == 1


def test_a_whole_answer(mode: Mode, orq_router: LocalRouter) -> None:
    orq_router.enqueue(reply(status=502), stream(Reset()))
    assert run(mode, orq_router.url) == "hello"
    assert len(orq_router.requests) == 3


def test_nobody_listens(mode: Mode) -> None:
    with LocalRouter() as router:
        url = router.url
    error = run(mode, url)
    assert isinstance(error, APIConnectionError)
    assert len(error.attempts) == 3


def test_one_connection_serves_all_attempts(mode: Mode, orq_router: LocalRouter) -> None:
    orq_router.enqueue(reply(b"x" * 10_000, status=503), reply(status=503))
    assert run(mode, orq_router.url, {"max_connections": 1}) == "hello"


def test_off_for_a_client_or_a_call(mode: Mode, orq_router: LocalRouter) -> None:
    orq_router.always(reply(status=500))
    for client, call in (({"retries": None}, {}), ({}, {"retries": None}), ({"retries": 0}, {})):
        before = len(orq_router.requests)
        assert isinstance(run(mode, orq_router.url, client, **call), InternalServerError)
        assert len(orq_router.requests) == before + 1
    assert len(run(mode, orq_router.url, {"retries": None}, retries=1).attempts) == 2


@pytest.mark.parametrize("wish", ["no:retries", ""])
def test_off_by_environment(
    mode: Mode, orq_router: LocalRouter, monkeypatch: pytest.MonkeyPatch, wish: str
) -> None:
    monkeypatch.setenv("ORQ_PLUGINS", wish)
    orq_router.always(reply(status=500))
    assert isinstance(run(mode, orq_router.url), InternalServerError)
    assert len(orq_router.requests) == 1
    assert isinstance(run(mode, orq_router.url, retries=2), ConfigurationError)
    assert isinstance(run(mode, orq_router.url, {"retries": 2}), ConfigurationError)
    assert len(orq_router.requests) == 1


def test_on_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ORQ_PLUGINS")
    with Orq("fake-key") as client:
        assert isinstance(dict(client.plugins)["retries"], Retries)


def test_one_of_your_own_replaces_it() -> None:
    own = Retries(policy=5)
    with Orq("fake-key", plugins=[own]) as client:
        assert [each for _, each in client.plugins if isinstance(each, Retries)] == [own]
