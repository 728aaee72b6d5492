"""Every recorded exchange, served by the local router and read back in both modes."""

from __future__ import annotations

import json
from typing import Any

import pytest

from orq_core import APIStatusError, APIStreamError, OrqError, StreamTruncatedError, to_dict
from orq_core.testing import LocalRouter, Mode, Reply, recorded
from tests.shared import Exchange, exchanges, needs_shared

pytestmark = needs_shared

RECORDED = {exchange.name: exchange for exchange in exchanges()}
STREAMS = [e.name for e in exchanges() if e.stream and e.status == 200 and "error" not in e.name]
REQUEST: dict[str, Any] = {"model": "fake/model", "messages": []}


def replay(exchange: Exchange) -> Reply:
    response = {
        "status": exchange.status,
        "headers": exchange.headers,
        "body": exchange.body,
    }
    return recorded({"response": response})


def json_events(body: str) -> list[dict[str, Any]]:
    """Read an event stream's JSON objects, simply: one data line an event."""
    lines = body.replace("\r\n", "\n").split("\n")
    data = [line[5:].strip() for line in lines if line.startswith("data:")]
    return [json.loads(each) for each in data if each.startswith("{")]


def plain_text(events: list[dict[str, Any]]) -> dict[Any, str]:
    """Fold the content of each choice."""
    texts: dict[Any, str] = {}
    for event in events:
        for choice in event.get("choices") or []:
            content = (choice.get("delta") or {}).get("content")
            if isinstance(content, str):
                index = choice.get("index")
                texts[index] = texts.get(index, "") + content
    return texts


async def answer(mode: Mode, client: Any, *, stream: bool) -> tuple[Any, list[Any], Any]:
    """Return what came back, the chunks, and the error that ended it."""
    chunks: list[Any] = []
    try:
        result = await mode.create(client, request=REQUEST, stream=stream)
        if stream:
            async for chunk in mode.iterate(result):
                chunks.append(chunk)
    except OrqError as error:
        return None, chunks, error
    return result, chunks, None


@pytest.mark.parametrize("name", RECORDED)
def test_an_exchange_reads_back_as_it_was(name: str, mode: Mode, orq_router: LocalRouter) -> None:
    exchange = RECORDED[name]
    orq_router.always(replay(exchange))

    async def body() -> tuple[Any, list[Any], Any]:
        async with mode.client(server_url=orq_router.url, retries=None) as client:
            return await answer(mode, client, stream=exchange.stream)

    result, chunks, error = mode.run(body)
    if exchange.status >= 300:
        assert isinstance(error, APIStatusError)
        assert error.status_code == exchange.status
        assert str(error)
        return
    if exchange.stream:
        events = json_events(exchange.body)
        clean = [event for event in events if not event.get("error")]
        assert [to_dict(chunk) for chunk in chunks][: len(clean)] == clean
        if "error" in name:
            assert isinstance(error, APIStreamError)
            assert error.partial is not None
            assert error.delivered == len(chunks)
            return
        if error is not None:
            assert isinstance(error, StreamTruncatedError)
            assert not any(
                choice.get("finish_reason")
                for event in events
                for choice in event.get("choices") or []
            )
            assert "[DONE]" not in exchange.body
            return
        completion = result.partial
        texts = {choice.index: choice.message.content or "" for choice in completion.choices}
        for index, text in plain_text(events).items():
            if text and isinstance(texts[index], str):
                assert texts[index] == text
        usages = [event["usage"] for event in events if event.get("usage")]
        if usages:
            assert to_dict(completion.usage) == usages[-1]
        return
    parsed = json.loads(exchange.body)
    if parsed.get("error"):
        assert isinstance(error, APIStreamError)
        assert error.code
        return
    assert error is None
    assert to_dict(result) == parsed


@pytest.mark.parametrize("name", STREAMS)
def test_a_stream_for_a_plain_call(name: str, mode: Mode, orq_router: LocalRouter) -> None:
    exchange = RECORDED[name]
    orq_router.always(replay(exchange))

    async def body() -> tuple[Any, Any]:
        async with mode.client(server_url=orq_router.url, on_truncation="accept") as client:
            whole, _, error = await answer(mode, client, stream=False)
            assert error is None
            stream, _, error = await answer(mode, client, stream=True)
            assert error is None
            return whole, stream.partial

    whole, streamed = mode.run(body)
    assert to_dict(whole) == to_dict(streamed)
    assert whole.info.status == 200
