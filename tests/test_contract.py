"""The contract's examples, served by the local router, with the outcome its index states."""

from __future__ import annotations

import json
from typing import Any

import pytest

from orq_core import APIStatusError, APIStreamError, OrqError, to_dict
from orq_core.testing import LocalRouter, Mode, Reply, Send, reply
from tests.shared import SHARED, contract, needs_shared

pytestmark = needs_shared

INDEX: list[dict[str, Any]] = (
    contract("examples/index.json") if (SHARED / "contract").is_dir() else []
)
EXAMPLES = {each["file"]: each for each in INDEX}
REQUEST: dict[str, Any] = {"model": "fake/model", "messages": []}


def examples(kind: str) -> list[str]:
    return [name for name in EXAMPLES if name.startswith(kind)]


def content(name: str) -> bytes:
    return (SHARED / "contract" / "examples" / name).read_bytes()


def ask(mode: Mode, router: LocalRouter, **more: Any) -> tuple[Any, list[Any], OrqError | None]:
    """Return the answer, the chunks read of a stream, and the error that ended it."""
    chunks: list[Any] = []

    async def body() -> Any:
        async with mode.client(server_url=router.url, retries=None) as client:
            answer = await mode.create(client, **REQUEST, **more)
            if more:
                async for chunk in mode.iterate(answer):
                    chunks.append(chunk)
            return answer

    try:
        return mode.run(body), chunks, None
    except OrqError as error:
        return None, chunks, error


def test_the_examples_are_there() -> None:
    kinds = [len(examples(kind)) for kind in ("req_", "res_", "err_", "stream_")]
    assert sum(kinds) == len(EXAMPLES)
    assert min(kinds) >= 6


@pytest.mark.parametrize("name", examples("res_"))
def test_an_answer_arrives_as_it_is(name: str, mode: Mode, orq_router: LocalRouter) -> None:
    orq_router.always(reply(content(name)))
    whole, _, error = ask(mode, orq_router)
    assert error is None
    assert to_dict(whole) == json.loads(content(name))
    streamed, _, error = ask(mode, orq_router, stream=True)
    assert error is None
    assert to_dict(streamed.partial) == to_dict(whole)


@pytest.mark.parametrize("streamed", [{}, {"stream": True}])
@pytest.mark.parametrize("name", examples("err_"))
def test_a_refusal_is_readable(
    name: str, streamed: dict[str, Any], mode: Mode, orq_router: LocalRouter
) -> None:
    status, body = EXAMPLES[name]["status"], json.loads(content(name))
    orq_router.always(reply(content(name), status=status, headers={"Retry-After": "58"}))
    _, _, error = ask(mode, orq_router, **streamed)
    assert isinstance(error, APIStatusError)
    assert (error.status_code, error.body, error.retry_after) == (status, body, 58)
    inner = body["error"] if isinstance(body.get("error"), dict) else body
    assert error.code == inner.get("code")
    said = inner.get("message") or inner["error"]
    assert str(error).endswith(said)


@pytest.mark.parametrize("every", [None, 1, 7])
@pytest.mark.parametrize("name", examples("stream_"))
def test_a_stream_has_the_outcome_of_the_index(
    name: str, every: int | None, mode: Mode, orq_router: LocalRouter
) -> None:
    stated = EXAMPLES[name]
    whole = Reply(200, {"Content-Type": "text/event-stream"}, (Send(content(name)),))
    orq_router.always(whole.chunked_at(every=every))
    stream, chunks, error = ask(mode, orq_router, stream=True)
    if "error" in stated:
        assert isinstance(error, APIStreamError)
        assert error.code == stated["error"]
        assert error.delivered == len(chunks) == stated["events"] - 1
        partial = error.partial
        assert partial is not None
    else:
        assert error is None
        assert len(chunks) == stated["events"]
        partial = stream.partial
    choice = partial.choices[0]
    assert (partial.text, choice.finish_reason) == (stated["text"], stated.get("finish"))
    if "total_tokens" in stated:
        assert partial.usage is not None
        assert partial.usage.total_tokens == stated["total_tokens"]
    if "tool_args" in stated:
        assert choice.message.tool_calls is not None
        called = choice.message.tool_calls[0].function
        assert called is not None
        assert called.arguments == stated["tool_args"]


DOCUMENTED = contract("documented_errors.json") if INDEX else {"codes": {}}


@pytest.mark.parametrize("code", DOCUMENTED["codes"])
def test_every_documented_code_is_told(code: str, mode: Mode, orq_router: LocalRouter) -> None:
    status = DOCUMENTED["codes"][code]
    said = {"code": code, "message": "why it is so"}
    for body in ({"error": said}, said):
        orq_router.enqueue(reply(body, status=status))
        _, _, error = ask(mode, orq_router)
        assert isinstance(error, APIStatusError)
        assert (error.status_code, error.code) == (status, code)
        assert str(error).endswith(": why it is so")
