"""The recipes do what their page says, in both modes."""

from __future__ import annotations

import json
import queue
import runpy
from pathlib import Path
from types import SimpleNamespace

import pytest

from orq_core import APIConnectionError, InternalServerError
from orq_core.testing import DONE, ScriptedTransport, chunk, completion, reply, stream

CODE = Path(__file__).resolve().parent.parent / "docs" / "code"
DOWN = reply({"error": {"message": "down"}}, status=503)
WORDS = stream(
    chunk("one two "), chunk("ST"), chunk("OP th"), chunk("ree"), chunk(finish_reason="stop"), DONE
)


def recipe(name):
    return SimpleNamespace(**runpy.run_path(str(CODE / f"recipe_{name}.py")))


class Kitchen:
    """Asks with one plugin; ``transport`` has what was sent."""

    def __init__(self, mode):
        self.mode = mode

    def serve(self, *plugins, replies=(), calls=1, stream=False, read=None, **arguments):
        """Return what the last call said; ``read`` items of a stream, then leave."""

        async def body():
            self.transport = ScriptedTransport(*replies, is_async=self.mode.is_async)
            async with self.mode.client(
                plugins=plugins,
                discover=False,
                transport=self.transport,
                **{"api_key": "fake-key", **arguments},
            ) as client:
                for _ in range(calls):
                    said = await self.ask(client, stream=stream, read=read)
                return said

        return self.mode.run(body)

    async def ask(self, client, *, stream=False, read=None):
        self.answer = await self.mode.create(
            client,
            model="fake/model",
            messages=[{"role": "user", "content": "one two three"}],
            stream=stream,
        )
        if not stream:
            return self.answer.text
        texts = []
        async for item in self.mode.iterate(self.answer):
            texts.append(item.text)
            if len(texts) == read:
                await self.mode.close(self.answer)
                break
        return "".join(texts)

    @property
    def sent(self):
        return [json.loads(each.body) for each in self.transport.requests]


@pytest.fixture
def kitchen(mode):
    return Kitchen(mode)


def test_header(kitchen):
    names = recipe("header")
    names.request_id.set("req-1")
    kitchen.serve(names.RequestId())
    assert kitchen.transport.requests[0].headers["X-Request-Id"] == "req-1"
    names.request_id.set(None)
    kitchen.serve(names.RequestId())
    headers = kitchen.transport.requests[0].headers
    assert headers["X-Request-Id"] == kitchen.answer.info.call_id


def test_metadata(kitchen):
    kitchen.serve(recipe("metadata").Deployment(service="search"))
    assert kitchen.sent[0]["metadata"] == {"service": "search"}


def test_first_token(kitchen):
    seen = []
    plugin = recipe("first_token").FirstToken(lambda *facts: seen.append(facts))
    kitchen.serve(plugin, stream=True, calls=2)
    assert [model for model, _ in seen] == ["fake/model"] * 2
    assert all(seconds >= 0 for _, seconds in seen)
    kitchen.serve(plugin)
    assert len(seen) == 2


def test_tenant_key(kitchen, monkeypatch):
    names = recipe("tenant_key")
    monkeypatch.setenv("ORQ_API_KEY_RED", "fake-key-red")
    names.tenant.set("red")
    kitchen.serve(api_key=names.key)
    assert kitchen.transport.requests[0].headers["Authorization"] == "Bearer fake-key-red"


@pytest.mark.parametrize("every", [1, 7, 1000])
def test_stop_word(kitchen, every):
    plugin = recipe("stop_word").StopAt("STOP")
    assert kitchen.serve(plugin, replies=[WORDS.chunked_at(every=every)], stream=True) == "one two "
    assert kitchen.transport.open_responses == 0
    assert kitchen.serve(plugin, replies=[reply(completion("a STOP b"))]) == "a "
    assert kitchen.answer.choices[0].finish_reason == "stop"


@pytest.mark.parametrize("streamed", [False, True])
def test_word_that_does_not_come(kitchen, streamed):
    plugin = recipe("stop_word").StopAt("threes")
    assert kitchen.serve(plugin, stream=streamed) == "one two three"


@pytest.mark.parametrize("read", [None, 1])
def test_event_log(kitchen, tmp_path, read):
    path = tmp_path / "events.jsonl"
    plugin = recipe("event_log").EventLog(path)
    kitchen.serve(plugin, stream=True, read=read)
    lines = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    assert len(lines) == (read or 5)
    assert {line["call"] for line in lines} == {kitchen.answer.info.call_id}
    assert lines[0]["event"]["choices"][0]["delta"]["role"] == "assistant"


@pytest.mark.parametrize("streamed", [False, True])
def test_fallback(kitchen, streamed):
    plugin = recipe("fallback").OtherModel("fake/second", "fake/third")
    said = stream(chunk("hi", finish_reason="stop"), DONE) if streamed else reply(completion("hi"))
    assert kitchen.serve(plugin, replies=[DOWN, DOWN, said], stream=streamed) == "hi"
    assert [body["model"] for body in kitchen.sent] == ["fake/model", "fake/second", "fake/third"]
    assert kitchen.answer.info.notes["other-model"] == {"model": "fake/third"}


def test_fallback_has_an_end(kitchen):
    with pytest.raises(InternalServerError):
        kitchen.serve(recipe("fallback").OtherModel("fake/second"), replies=[DOWN])
    assert len(kitchen.sent) == 2


def test_breaker(kitchen):
    names = recipe("breaker")
    plugin = names.Breaker(failures=2, seconds=0.05)

    async def body():
        transport = ScriptedTransport(DOWN, DOWN, reply(completion("up")), is_async=mode.is_async)
        async with mode.client(
            api_key="fake-key", plugins=[plugin], discover=False, transport=transport
        ) as client:
            for kind in (InternalServerError, InternalServerError, names.CircuitOpenError):
                with pytest.raises(kind):
                    await kitchen.ask(client)
            assert len(transport.requests) == 2
            await client.runtime.sleep(0.06)
            assert await kitchen.ask(client) == "up"
            assert await kitchen.ask(client) == "up"

    mode = kitchen.mode
    mode.run(body)


def test_breaker_lets_one_through_at_a_time():
    names = recipe("breaker")
    plugin = names.Breaker(failures=1, seconds=0.02)
    call = SimpleNamespace(url="https://example.com", now=lambda: clock)
    clock = 0.0
    plugin.enter(call)
    plugin.failed(call)
    clock = 1.0
    plugin.enter(call)
    with pytest.raises(names.CircuitOpenError):
        plugin.enter(call)
    plugin.answered(call)
    plugin.enter(call)


@pytest.mark.parametrize("streamed", [False, True])
def test_valid_answer(kitchen, streamed):
    def answer(text):
        if not streamed:
            return reply(completion(text))
        return stream(chunk(text[:3]), chunk(text[3:], finish_reason="stop"), DONE)

    names = recipe("valid_answer")
    replies = [answer('{"answer": '), answer('{"answer": 42}')]
    said = kitchen.serve(names.Validated(json.loads), replies=replies, stream=streamed)
    assert json.loads(said) == {"answer": 42}
    first, second = kitchen.sent
    assert second["messages"][: len(first["messages"])] == first["messages"]
    assert [each["role"] for each in second["messages"]] == ["user", "assistant", "user"]
    assert kitchen.answer.info.notes["validated"] == {"repeats": 1}

    with pytest.raises(names.InvalidAnswerError):
        kitchen.serve(names.Validated(json.loads), replies=replies[:1], stream=streamed)
    assert len(kitchen.sent) == 2


def test_sampling(kitchen):
    names = recipe("sampling")
    samples = queue.Queue(maxsize=2)
    plugin = names.Sampling(samples, fraction=1.0)
    kitchen.serve(plugin, calls=3, stream=True)
    assert [samples.get_nowait().text for _ in range(2)] == ["one two three"] * 2
    assert plugin.dropped == 1
    kitchen.serve(names.Sampling(samples, fraction=0.0))
    assert samples.empty()


def test_sample_of_a_call_that_failed_is_none(kitchen):
    samples = queue.Queue()
    plugin = recipe("sampling").Sampling(samples, fraction=1.0)
    with pytest.raises(APIConnectionError):
        kitchen.serve(plugin, replies=[APIConnectionError("gone")])
    assert samples.empty()
