"""Code written for the seed SDK, run against this library."""

from __future__ import annotations

import asyncio
import enum
import gc
import re
import subprocess
import sys
import threading
from typing import Any

import pytest

import orq_core.compat as seed
from orq_core import ConfigurationError, ConnectError, OrqError, RequestError
from orq_core.models import build_request, make_converter, unstructure_request
from orq_core.testing import DONE, LocalRouter, Wait, chunk, reply, stream
from tests.shared import SHARED, contract, needs_shared

DOCUMENT = "contract/000_ec104ddcde293705.txt"
REQUEST: dict[str, Any] = {
    "model": "Fiesta",
    "messages": [{"role": seed.RouterChatCompletionsMessagesRole.USER, "content": "<value>"}],
}


def example() -> str:
    """Return the seed document's example with its import lines changed."""
    found = re.search(r"```python\n(.*?)```", (SHARED / DOCUMENT).read_text(), re.DOTALL)
    assert found is not None
    code = found[1].replace(
        "import orq_poc_python_client\n",
        "import orq_core.compat as orq_poc_python_client\n",
    )
    return code.replace("from orq_poc_python_client import Orq", "from orq_core.compat import Orq")


@needs_shared
@pytest.mark.parametrize("streamed", [False, True])
def test_the_documents_example(orq_router: LocalRouter, streamed: bool) -> None:
    code = example()
    if streamed:
        code = code.replace('"model": "Fiesta",', '"model": "Fiesta", "stream": True,')
        orq_router.always(stream(chunk("Hel"), chunk("lo"), chunk(finish_reason="stop"), DONE))
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        env={"ORQ_SERVER_URL": orq_router.url, "PATH": "", "ORQ_PLUGINS": ""},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.stderr == ""
    lines = ran.stdout.strip().split("\n")
    assert len(lines) == (3 if streamed else 1)
    assert ("Hel" if streamed else "<value>") in lines[0]
    sent = orq_router.requests[0].json
    expected = contract("examples/req_01_seed_example.json")
    assert {**sent, "stream": None} == {**expected, "stream": None}


def test_both_modes_of_one_object(orq_router: LocalRouter) -> None:
    s = seed.Orq(api_key="", server_url=orq_router.url)

    async def asked(number: int) -> str:
        completion = await s.router.chat.completions.create_async(request=REQUEST)
        assert isinstance(completion, seed.models.ResponseBody1)
        events = await s.router.chat.completions.create_async(request={**REQUEST, "stream": True})
        assert not isinstance(events, seed.models.ResponseBody1)
        texts = [event.data.choices[0].delta.content or "" async for event in events]
        assert completion.text == "".join(texts)
        return f"{number}: {completion.text}"

    assert asyncio.run(asked(1)) == "1: <value>"
    assert asyncio.run(asked(2)) == "2: <value>"
    with s:
        for event in s.router.chat.completions.create(request=REQUEST):
            assert event.data.text == "<value>"


def test_one_loop_reads_both_kinds_of_answer_under_asyncio(orq_router: LocalRouter) -> None:
    create = seed.Orq(server_url=orq_router.url).router.chat.completions.create_async

    async def read(**more: Any) -> str:
        events: Any = await create(request={**REQUEST, **more})
        pieces = []
        async for event in events:
            choice = event.data.choices[0]
            said = choice.delta if more else choice.message
            pieces.append(said.content or "")
        return "".join(pieces)

    assert asyncio.run(read()) == asyncio.run(read(stream=True)) == "<value>"


BACKOFF = seed.utils.BackoffStrategy(1, 1, 1.0, 60_000)


@pytest.mark.parametrize(
    ("config", "call", "attempts"),
    [
        ({}, {}, 1),
        ({"retry_config": None}, {}, 1),
        ({"retry_config": seed.RetryConfig("backoff", BACKOFF, True)}, {}, 3),
        ({"retry_config": seed.RetryConfig("backoff", BACKOFF, True)}, {"retries": None}, 1),
        ({"retry_config": seed.RetryConfig("none", BACKOFF, True)}, {}, 1),
        ({}, {"retries": seed.RetryConfig("backoff", BACKOFF, True)}, 3),
    ],
)
def test_nothing_is_repeated_unless_it_is_asked_for(
    orq_router: LocalRouter, config: dict[str, Any], call: dict[str, Any], attempts: int
) -> None:
    orq_router.enqueue(reply(b"", status=503), reply(b"", status=429))
    create = seed.Orq(server_url=orq_router.url, **config).router.chat.completions.create
    if attempts == 1:
        with pytest.raises(seed.SDKError, match="Status 503"):
            create(request=REQUEST, **call)
    else:
        create(request=REQUEST, **call)
    assert len(orq_router.requests) == attempts


def test_a_client_that_nobody_closes_leaves_nothing_open(orq_router: LocalRouter) -> None:
    s = seed.Orq(server_url=orq_router.url)
    s.router.chat.completions.create(request=REQUEST)
    core = s.blocking._core
    del s
    gc.collect()
    assert core.closed


def test_a_stream_outlives_its_client(orq_router: LocalRouter) -> None:
    read = threading.Event()
    ends = chunk("b", finish_reason="stop")
    orq_router.enqueue(*[stream(chunk("a"), Wait(read), ends, DONE)] * 2)
    asked = {"model": "m", "messages": [], "stream": True}

    def ask() -> Any:
        sdk = seed.Orq(server_url=orq_router.url)
        return sdk.router.chat.completions.create(request=asked)

    async def ask_async() -> Any:
        sdk = seed.Orq(server_url=orq_router.url)
        return await sdk.router.chat.completions.create_async(request=asked)

    async def body() -> list[str]:
        return [each.text async for each in await ask_async()]

    answer = ask()
    read.set()
    assert [each.text for each in answer] == ["a", "b"]
    del answer
    gc.collect()
    assert asyncio.run(body()) == ["a", "b"]


def test_a_status_is_an_sdk_error(orq_router: LocalRouter) -> None:
    body = {"code": 404, "error": "no such deployment", "source": "system"}
    orq_router.always(reply(body, status=404, headers={"X-Request-Id": "req-1"}))
    s = seed.Orq(server_url=orq_router.url)
    with pytest.raises(seed.models.SDKError) as caught:
        s.router.chat.completions.create(request=REQUEST)
    error = caught.value
    assert error.message == "API error occurred"
    assert error.status_code == 404
    assert error.body == '{"code":404,"error":"no such deployment","source":"system"}'
    assert str(error) == f"API error occurred: Status 404\n{error.body}"
    assert error.raw_response is not None
    assert error.raw_response.headers["x-request-id"] == "req-1"
    assert error.request_id == "req-1"
    assert isinstance(error, OrqError)
    assert isinstance(error.__cause__, OrqError)
    with pytest.raises(seed.SDKError):
        asyncio.run(s.router.chat.completions.create_async(request=REQUEST))


def test_an_answer_of_another_kind_is_an_sdk_error(orq_router: LocalRouter) -> None:
    orq_router.always(reply(b"<html>", headers={"Content-Type": "text/html"}))
    with pytest.raises(seed.SDKError, match="Unexpected response received"):
        seed.Orq(server_url=orq_router.url).router.chat.completions.create(request=REQUEST)
    orq_router.always(reply(b"", status=302, headers={"Location": "/other"}))
    with pytest.raises(seed.SDKError, match=r"code: 302") as caught:
        seed.Orq(server_url=orq_router.url).router.chat.completions.create(request=REQUEST)
    assert caught.value.status_code == 302
    orq_router.always(reply("not <b>now</b>", status=502, headers={"Content-Type": "text/html"}))
    with pytest.raises(seed.SDKError) as caught:
        seed.Orq(server_url=orq_router.url).router.chat.completions.create(request=REQUEST)
    assert caught.value.body == "not <b>now</b>"
    assert str(seed.SDKError("No body", 500)) == "No body: Status 500"


def test_what_was_no_answer_is_this_librarys_error() -> None:
    s = seed.Orq(server_url="http://127.0.0.1:9", retry_config=None)
    with pytest.raises(ConnectError):
        s.router.chat.completions.create(request=REQUEST)
    with pytest.raises(ConnectError):
        asyncio.run(s.router.chat.completions.create_async(request=REQUEST))
    with pytest.raises(RequestError):
        s.router.chat.completions.create(request={"messages": 5})


def test_constructor_arguments(orq_router: LocalRouter) -> None:
    s = seed.Orq(
        lambda: "fake-key",
        0,
        "http://{host}:{port}",
        {"host": "127.0.0.1", "port": str(orq_router.port)},
        timeout_ms=5000,
    )
    s.router.chat.completions.create(
        request=REQUEST,
        retries=None,
        accept_header_override=seed.CreateAcceptEnum.TEXT_EVENT_STREAM,
    )
    headers = orq_router.requests[0].headers
    assert headers["Authorization"] == "Bearer fake-key"
    assert headers["Accept"] == "text/event-stream"


@pytest.mark.parametrize(
    ("arguments", "remedy"),
    [
        ({"client": object()}, "session="),
        ({"async_client": object()}, "session="),
        ({"debug_logger": object()}, "logging"),
        ({"server_idx": 1}, "server_url="),
        ({"timeout_ms": "60"}, "milliseconds"),
    ],
)
def test_what_has_no_counterpart_says_what_to_use(arguments: dict[str, Any], remedy: str) -> None:
    with pytest.raises(ConfigurationError, match=remedy):
        seed.Orq("fake-key", **arguments)


def test_a_request_made_of_the_seeds_models() -> None:
    m = seed.models
    request = m.RouterChatCompletionsRequestBody(
        model="Fiesta",
        messages=[
            m.Messages1(role=m.MessagesRole.SYSTEM, content="<value>"),
            m.Messages2(
                role=m.RouterChatCompletionsMessagesRole.USER,
                content=[
                    m.RouterChatCompletions2RouterChatCompletions1(
                        type=m.RouterChatCompletions2RouterChatCompletionsRequestType.TEXT,
                        text="<value>",
                    ),
                ],
            ),
            m.Four(
                role=m.RouterChatCompletionsMessagesRouterChatCompletionsRequestRole.TOOL,
                tool_call_id="call-1",
                content="<value>",
            ),
        ],
        tools=[
            m.Tools(
                type=m.RouterChatCompletionsType.FUNCTION,
                function=m.RouterChatCompletionsFunction(
                    name="f",
                    parameters=m.Parameters(
                        type=m.RouterChatCompletionsRouterChatCompletionsType.OBJECT,
                        properties={},
                        additionalProperties=False,
                    ),
                ),
            ),
        ],
    )
    converter = make_converter()
    body = unstructure_request(converter, build_request(converter, request))
    assert body["messages"][1]["content"] == [{"type": "text", "text": "<value>"}]
    assert body["messages"][2]["role"] == "tool"
    assert body["tools"][0]["function"]["parameters"] == {
        "type": "object",
        "properties": {},
        "additionalProperties": False,
    }


@needs_shared
def test_every_name_of_the_seed_is_there() -> None:
    text = (SHARED / "contract/SEED.md").read_text()
    section = text[text.index("### Enums") :]
    names = re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)
    assert len(names) > 70
    for name in names:
        assert getattr(seed, name) is getattr(seed.models, name)
    for name, members in re.findall(r"^\| `(\w+)` \| (`[A-Z_]+`=.*) \|$", section, re.MULTILINE):
        kind = getattr(seed, name)
        assert issubclass(kind, enum.Enum)
        wanted = dict(re.findall(r"`(\w+)`=`(\w+)`", members))
        assert {member.name: member.value for member in kind} == wanted
    assert seed.utils.RetryConfig is seed.RetryConfig
    with pytest.raises(AttributeError):
        _ = seed.NoSuchNameTypedDict


def fields_of_the_seed() -> dict[str, list[str]]:
    """Read the names of every model's fields from the contract's table."""
    text = (SHARED / "contract/SEED.md").read_text()
    found: dict[str, list[str]] = {}
    name = ""
    for row in text[text.index("### Models") :].split("\n"):
        cells = [cell.strip().strip("`") for cell in row.split("|")]
        if len(cells) == 8 and cells[4] in {"yes", "no"}:
            name = cells[1] or name
            found.setdefault(name, []).append(cells[2])
    # What wrapped an event; here the event is the chunk itself, with its `data`.
    del found["RouterChatCompletionsRouterChatCompletionsResponseBody"]
    return found


@needs_shared
def test_every_model_of_the_seed_has_its_fields() -> None:
    models = fields_of_the_seed()
    assert len(models) == 41
    for name, fields in models.items():
        made = getattr(seed, name)(**dict.fromkeys(fields, "<value>"))
        assert [getattr(made, field) for field in fields] == ["<value>"] * len(fields), name
        twin = getattr(seed, f"{name}TypedDict")(**dict.fromkeys(fields, "<value>"))
        assert twin == dict.fromkeys(fields, "<value>")
    assert seed.Parameters(type="object", properties={}).required is None
    with pytest.raises(AttributeError):
        _ = seed.Parameters().model_dump
