"""Every recorded exchange through the cache: what is served is what would have come."""

from __future__ import annotations

import json
from typing import Any

import pytest

from orq_core import to_dict
from orq_core.testing import Mode, Reply, ScriptedTransport, recorded
from orq_plugins.caching import Caching
from tests.plugins.talk import KEY, SERVER, Answer, ask
from tests.shared import Exchange, exchanges, needs_shared

pytestmark = needs_shared

RECORDED = [exchange for exchange in exchanges() if exchange.status == 200]


def replay(exchange: Exchange) -> Reply:
    response = {"status": exchange.status, "headers": exchange.headers, "body": exchange.body}
    return recorded({"response": response})


def written(answer: Answer) -> Any:
    """Return everything that a caller was given, as JSON text: types and escapes included."""
    whole = None if answer.completion is None else to_dict(answer.completion)
    return json.dumps([whole, [to_dict(chunk) for chunk in answer.chunks]], sort_keys=True)


def arguments(mode: Mode, exchange: Exchange, *plugins: Any) -> dict[str, Any]:
    transport = ScriptedTransport(replay(exchange), is_async=mode.is_async)
    return {
        "api_key": KEY,
        "server_url": SERVER,
        "transport": transport,
        "plugins": plugins,
        "discover": False,
    }


@pytest.mark.parametrize("exchange", RECORDED, ids=lambda exchange: exchange.name)
def test_served_as_it_would_have_come(exchange: Exchange):
    """Stored from a whole answer or a stream, served as either: the four pairs.

    Both modes run the same code here, so that one of them, by turns, will do.
    """
    mode = Mode("async" if len(exchange.name) % 2 else "sync")

    async def body() -> None:
        direct = {}
        for streamed in (False, True):
            async with mode.client(**arguments(mode, exchange)) as client:
                direct[streamed] = await ask(mode, client, stream=streamed)
        for first in (False, True):
            plugin = Caching(policy="all")
            given = arguments(mode, exchange, plugin)
            async with mode.client(**given) as client:
                stored = await ask(mode, client, stream=first)
                assert written(stored) == written(direct[first])
                kept = stored.error is None and len(given["transport"].requests)
                for second in (False, True):
                    served = await ask(mode, client, stream=second)
                    if served.info is None or served.note("caching")["result"] != "hit":
                        assert not _is_kept(direct[first])
                        continue
                    assert kept == 1
                    assert _is_kept(direct[first])
                    if second and not first and direct[second].chunks != served.chunks:
                        # Of the events of a server, a whole answer is all that is left.
                        assert exchange.stream
                        served.chunks = direct[second].chunks
                    assert written(served) == written(direct[second])

    mode.run(body)


def _is_kept(answer: Answer) -> bool:
    """Tell by the whole answer whether the cache may keep it."""
    if answer.error is not None or answer.completion is None:
        return False
    choices = answer.completion.choices
    reasons = {choice.finish_reason for choice in choices}
    refused = any(choice.message.refusal for choice in choices)
    return bool(choices) and reasons <= {"stop", "tool_calls"} and not refused
