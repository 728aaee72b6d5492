"""What each of several callers is told when the request that they share fails."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from orq_core import OrqError, hookimpl
from orq_core.testing import Cut, Mode, Wait, chunk, stream
from orq_plugins import Caching, Redaction
from orq_plugins.caching.flight import Flight
from tests.plugins.talk import Answer, Talk

ALICE = "alice@private.test"
BOB = "bob@other.test"
BEGUN = chunk("I write to <EMAIL_1> now. ")
OVERLOADED = {"error": {"message": "overloaded"}}


def saying(text: str) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": text}]}


class OddError(OrqError):
    """Can't be copied."""

    def __reduce__(self) -> Any:
        raise TypeError


class Odd:
    """Ends in an error that can't be copied."""

    @hookimpl(trylast=True)
    def orq_wrap_create(self, call: Any) -> Any:
        async def around(call: Any, request: Any, proceed: Any) -> Any:
            try:
                async for item in proceed(request):
                    yield item
            except OrqError:
                raise OddError(ALICE) from None

        return around


class Marking:
    """Writes into the errors of streams, as an outer layer may."""

    @hookimpl(tryfirst=True)
    def orq_wrap_create(self, call: Any) -> Any:
        async def around(call: Any, request: Any, proceed: Any) -> Any:
            try:
                async for item in proceed(request):
                    yield item
            except OrqError as error:
                error.body["error"]["message"] = ALICE
                raise

        return around if call.stream else None


def told_last(
    mode: Mode, monkeypatch: pytest.MonkeyPatch, plugins: Any, end: Any, asked: tuple[str, str]
) -> tuple[OrqError, OrqError]:
    """Have a stream lead, and fail before the call that follows it hears of the failure."""
    go = threading.Event()
    talk = Talk(mode, stream(BEGUN, Wait(go), end), plugins=plugins, retries=None)
    follow = Flight.next
    told: list[OrqError] = []

    async def body() -> Answer:
        async with talk.client() as client:
            leader = await mode.create(client, **saying(asked[0]), model="fake/model", stream=True)

            async def late(self: Any, call: Any, at: int, *, leads: bool) -> Any:
                if not leads and at == 1:
                    go.set()
                    with pytest.raises(OrqError) as caught:
                        await mode.completion(leader)
                    told.append(caught.value)
                return await follow(self, call, at, leads=leads)

            monkeypatch.setattr(Flight, "next", late)
            return await talk.ask(client, **saying(asked[1]))

    error = mode.run(body).error
    assert talk.sent == 1
    return told[0], error


def test_no_error_carries_the_private_values_of_another_caller(
    mode: Mode, monkeypatch: pytest.MonkeyPatch
):
    plugins = [Redaction(), Caching(policy="all")]
    asked = f"Write to {ALICE}", f"Write to {BOB}"
    own, others = told_last(mode, monkeypatch, plugins, Cut(), asked)
    assert type(others) is type(own)
    assert ALICE in own.partial.text
    assert others.partial is None


def test_what_one_caller_does_to_an_error_is_not_anothers(
    mode: Mode, monkeypatch: pytest.MonkeyPatch
):
    plugins = [Marking(), Caching(policy="all")]
    own, others = told_last(mode, monkeypatch, plugins, OVERLOADED, ("hello", "hello"))
    assert own.body["error"]["message"] == ALICE
    assert others.body == OVERLOADED


def test_an_error_that_can_not_be_copied_is_named(mode: Mode, monkeypatch: pytest.MonkeyPatch):
    plugins = [Caching(policy="all"), Odd()]
    own, others = told_last(mode, monkeypatch, plugins, Cut(), ("hello", "hello"))
    assert type(own) is OddError
    assert type(others) is OrqError
    assert str(others) == "the request that this call shared failed (OddError)"
