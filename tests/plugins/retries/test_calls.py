"""A call's own life: its name on the wire, its history, its ends from outside."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import threading
import time
from typing import Any

import pytest
from attrs import evolve

from orq_core import (
    APIConnectionError,
    AsyncOrq,
    Call,
    ChatCompletionRequest,
    InternalServerError,
    Items,
    Layer,
    Orq,
    Proceed,
    RetryPolicy,
    hookimpl,
)
from orq_core.testing import Mode, ScriptedTransport, chunk, reply, stream
from orq_plugins.retries import Retries
from tests.plugins.retries.scene import HELLO, KEY, OK, OK_STREAM, ROLE, SERVER, FakeRuntime, Scene

DOWN = reply(status=503, headers={"x-request-id": "req-fake"})
LONG = RetryPolicy(base_delay=60, max_delay=60, min_delay=60)


def keys(scene: Scene) -> list[Any]:
    return [http.headers.get("Idempotency-Key") for http in scene.transport.requests]


def test_one_name_on_all_attempts(mode: Mode) -> None:
    scene = Scene(mode, DOWN, DOWN, OK)
    answer = scene.create()
    assert keys(scene) == [answer.info.call_id] * 3
    other = Scene(mode, OK)
    other.create()
    assert keys(other)[0] not in {None, answer.info.call_id}


class OtherModels:
    """Asks two other models after the first, as a fallback does."""

    @hookimpl
    def orq_wrap_create(self, call: Call) -> Layer:
        return self.around

    async def around(self, call: Call, request: ChatCompletionRequest, proceed: Proceed) -> Items:
        for model in ("fake/one", "fake/two", "fake/three"):
            items = [item async for item in proceed(evolve(request, model=model))]
        for item in items:
            yield item


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
def test_another_request_has_another_name(mode: Mode, streamed: bool) -> None:
    """Under the first one's name a server would give the first one's answer, or refuse."""
    good, plugin = (OK_STREAM if streamed else OK), Retries(random=lambda: 0.0)
    scene = Scene(mode, DOWN, good, DOWN, good, good, plugins=[OtherModels(), plugin])
    scene.create(stream=streamed)
    first = scene.info.call_id
    assert keys(scene) == [first, first, f"{first}-2", f"{first}-2", f"{first}-3"]


@pytest.mark.parametrize("name", ["Idempotency-Key", "idempotency-key", "IDEMPOTENCY-KEY"])
def test_the_callers_name_wins(mode: Mode, name: str) -> None:
    for arguments in ({"headers": {name: "fake-own"}}, {}):
        scene = Scene(mode, DOWN, OK, **arguments)
        scene.create(**({} if arguments else {"http_headers": {name: "fake-own"}}))
        for http in scene.transport.requests:
            named = {k: v for k, v in http.headers.items() if k.lower() == "idempotency-key"}
            assert named == {name: "fake-own"}


def test_history(mode: Mode) -> None:
    scene = Scene(mode, DOWN)
    error = scene.fails(InternalServerError)
    assert [each.number for each in error.attempts] == [1, 2, 3]
    assert {each.status for each in error.attempts} == {503}
    assert {each.error for each in error.attempts} == {"InternalServerError"}
    assert error.request_id == "req-fake"
    scene = Scene(mode, DOWN, OK_STREAM)
    scene.create(stream=True)
    assert [each.error for each in scene.info.attempts] == ["InternalServerError", None]


def test_failed_answers_are_closed_before_the_pause(mode: Mode) -> None:
    scene = Scene(mode, DOWN, stream(ROLE), OK_STREAM)
    opened: list[int] = []
    scene.runtime.before_pause = lambda: opened.append(scene.transport.open_responses)
    scene.create(stream=True)
    assert opened == [0, 0]


def test_a_stream_that_is_left_early_is_released(mode: Mode) -> None:
    scene = Scene(mode, DOWN, stream(ROLE, chunk("a"), chunk("b"), chunk("c")))

    async def body() -> None:
        async with mode.client(**scene.arguments) as client:
            client._core.runtime = scene.runtime
            arguments = {"messages": HELLO, "model": "fake/model", "stream": True}
            answer = await mode.create(client, **arguments)
            await mode.close(answer)
            assert scene.transport.open_responses == 0
            dropped = await mode.create(client, **arguments)
            assert scene.transport.open_responses == 1
            gc.disable()
            with pytest.warns(ResourceWarning, match="a stream was dropped"):
                del dropped
            try:
                assert scene.transport.open_responses == 0
            finally:
                gc.enable()

    mode.run(body)


def _failures() -> int:
    return sum(isinstance(each, InternalServerError) for each in gc.get_objects())


def test_a_failure_leaves_no_garbage(mode: Mode) -> None:
    scene = Scene(mode, DOWN)
    gc.collect()
    gc.disable()
    try:
        before = _failures()
        with contextlib.suppress(InternalServerError):
            scene.create()
        assert scene.sent == 3
        # The last one is the caller's; `asyncio.run` keeps it in a cycle of its own.
        assert _failures() - before <= mode.is_async
    finally:
        gc.enable()


def test_closing_ends_a_pause_in_another_thread() -> None:
    transport = ScriptedTransport(DOWN)
    client = Orq(KEY, SERVER, transport=transport, plugins=[Retries(policy=LONG)], discover=False)
    ended: list[Any] = []

    def call() -> None:
        try:
            client.router.chat.completions.create(model="fake/model", messages=HELLO)
        except APIConnectionError as error:
            ended.append(error)

    thread = threading.Thread(target=call)
    thread.start()
    while not transport.responses or transport.open_responses:
        time.sleep(0.001)
    client.close()
    thread.join(5)
    assert not thread.is_alive()
    assert "closed" in str(ended[0])
    assert len(ended[0].attempts) == len(transport.requests) == 1


def test_closing_ends_a_pause_of_a_task() -> None:
    """It would go on asking, over connections that nobody closes any more."""
    transport = ScriptedTransport(DOWN, is_async=True)

    async def body() -> None:
        client = AsyncOrq(
            KEY, SERVER, transport=transport, plugins=[Retries()], discover=False, retries=LONG
        )
        task = asyncio.create_task(
            client.router.chat.completions.create(messages=HELLO, model="fake/model")
        )
        await asyncio.sleep(0.05)
        assert len(transport.requests) == 1
        await client.aclose()
        with pytest.raises(APIConnectionError, match="closed"):
            await asyncio.wait_for(task, 5)

    asyncio.run(body())
    assert len(transport.requests) == 1


def test_cancelling_ends_a_pause() -> None:
    async def body() -> None:
        transport = ScriptedTransport(DOWN, is_async=True)
        arguments = {"plugins": [Retries(policy=LONG)], "discover": False}
        async with AsyncOrq(KEY, SERVER, transport=transport, **arguments) as client:
            create = client.router.chat.completions.create
            task = asyncio.create_task(create(model="fake/model", messages=HELLO))
            while not transport.responses or transport.open_responses:  # noqa: ASYNC110
                await asyncio.sleep(0)
            await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert len(transport.requests) == 1

    asyncio.run(body())


def test_cancellation_itself_is_not_repeated(mode: Mode) -> None:
    for ending in (asyncio.CancelledError(), KeyboardInterrupt(), ValueError("a bug")):
        scene = Scene(mode, ending, OK)
        with pytest.raises(type(ending)):
            scene.create()
        assert (scene.sent, scene.runtime.pauses) == (1, [])


def test_calls_do_not_share_state() -> None:
    plugin = Retries(random=lambda: 1.0, budget=None)
    transport = ScriptedTransport(DOWN, is_async=True)

    async def body() -> None:
        arguments = {"plugins": [plugin], "discover": False, "transport": transport}
        async with AsyncOrq(KEY, SERVER, **arguments) as client:
            client._core.runtime = FakeRuntime(is_async=True)
            create = client.router.chat.completions.create
            calls = [create(model="fake/model", messages=HELLO, retries=n) for n in range(6)]
            errors = await asyncio.gather(*calls, return_exceptions=True)
        assert [len(error.attempts) for error in errors] == [1, 2, 3, 4, 5, 6]

    asyncio.run(body())
