"""Both clients against llama.cpp's own HTTP server."""

from __future__ import annotations

import json
import time

import pytest

from orq_core import (
    APIStatusError,
    AuthenticationError,
    BadRequestError,
    ConnectError,
    InternalServerError,
    StreamInterruptedError,
    to_dict,
)
from tests.real.conftest import KEY, need

pytestmark = pytest.mark.real

HI = {"model": "tiny", "messages": [{"role": "user", "content": "hi there"}], "seed": 1}
ENDLESS = {**HI, "stream": True, "extra_body": {"ignore_eos": True}}
COLOURS = {
    "type": "object",
    "properties": {"color": {"enum": ["red", "blue"]}, "bright": {"type": "boolean"}},
    "required": ["color", "bright"],
    "additionalProperties": False,
}
PAINT = {
    "type": "function",
    "function": {
        "name": "paint",
        "description": "Paint the wall",
        "parameters": {
            "type": "object",
            "properties": {"color": {"type": "string", "enum": ["red", "blue"]}},
            "required": ["color"],
        },
    },
}


@pytest.fixture
def client(open_client, server):
    return open_client(server_url=server.url)


def test_completion(client):
    completion = client.create(**HI, max_tokens=8)
    choice = completion.choices[0]
    assert choice.message.role == "assistant"
    assert completion.text == choice.message.content
    assert choice.finish_reason in {"stop", "length"}
    assert completion.model == "tiny"
    usage = completion.usage
    assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens
    assert completion.info.status == 200
    assert completion.info.elapsed > 0
    assert "timings" in completion.extra, "llama.cpp's own field is kept"
    assert to_dict(completion)["timings"] == completion.extra["timings"]


def test_stream(client):
    stream = client.create(**HI, max_tokens=40, stream=True, extra_body={"ignore_eos": True})
    chunks = list(stream)
    text = "".join(chunk.text for chunk in chunks)
    assert len(chunks) > 10
    assert text
    assert stream.partial.text == text
    assert stream.partial.choices[0].finish_reason == "length"
    assert stream.info.time_to_first_event <= stream.info.elapsed


def test_stream_and_completion_agree(client):
    fields = {**HI, "max_tokens": 30, "temperature": 0}
    assert client.create(**fields, stream=True).completion().text == client.create(**fields).text


def test_usage_of_a_stream(client):
    with_usage = {"stream_options": {"include_usage": True}}
    chunks = list(client.create(**HI, max_tokens=5, stream=True, **with_usage))
    assert chunks[-1].choices == []
    assert chunks[-1].usage.completion_tokens <= 5
    assert all(chunk.usage is None for chunk in chunks[:-1])


def test_logprobs(client):
    fields = {**HI, "max_tokens": 5, "logprobs": True, "top_logprobs": 2}
    whole = client.create(**fields)
    entries = whole.choices[0].logprobs.content
    assert entries
    assert all(entry.logprob <= 0 and len(entry.top_logprobs) == 2 for entry in entries)
    streamed = client.create(**fields, stream=True).completion()
    assert "".join(entry.token for entry in streamed.choices[0].logprobs.content) == streamed.text


def test_two_choices(client):
    fields = {**HI, "max_tokens": 6, "n": 2, "extra_body": {"ignore_eos": True}}
    assert [choice.index for choice in client.create(**fields).choices] == [0, 1]
    stream = client.create(**fields, stream=True)
    texts = {0: "", 1: ""}
    for chunk in stream:
        for choice in chunk.choices:
            texts[choice.index] += choice.delta.content or ""
    choices = {choice.index: choice for choice in stream.partial.choices}
    assert {index: choice.message.content for index, choice in choices.items()} == texts
    assert {choice.finish_reason for choice in choices.values()} == {"length"}


def test_json_schema(client):
    schema = {"type": "json_schema", "json_schema": {"name": "wall", "schema": COLOURS}}
    completion = client.create(**HI, max_tokens=400, response_format=schema)
    answer = json.loads(completion.text)
    assert set(answer) == {"color", "bright"}
    assert answer["color"] in {"red", "blue"}


@pytest.mark.parametrize("stream", [False, True])
def test_tool_call(client, stream):
    from tests.real.tiny_model import CALL_A_TOOL

    answer = client.create(
        **HI,
        stream=stream,
        max_tokens=400,
        tools=[PAINT],
        tool_choice="required",
        extra_body={"logit_bias": CALL_A_TOOL},
    )
    completion = answer.completion() if stream else answer
    message = completion.choices[0].message
    call = message.tool_calls[0]
    assert call.id
    assert call.function.name == "paint"
    assert json.loads(call.function.arguments)["color"] in {"red", "blue"}

    result = {"role": "tool", "tool_call_id": call.id, "content": "done"}
    turns = [*HI["messages"], {"role": "assistant", "tool_calls": [to_dict(call)]}, result]
    tools = {"tools": [PAINT], "tool_choice": "required"}
    assert client.create(model="tiny", messages=turns, max_tokens=3, **tools).choices


def test_answer_goes_back_as_it_came(client):
    first = client.create(**HI, max_tokens=5)
    turns = [*HI["messages"], first.choices[0].message, *HI["messages"]]
    assert client.create(model="tiny", messages=turns, max_tokens=5).choices


def test_key(open_client, locked_server):
    with pytest.raises(AuthenticationError) as caught:
        open_client(server_url=locked_server.url, api_key="sk-fake-wrong").create(**HI)
    assert caught.value.status_code == 401
    assert caught.value.type == "authentication_error"
    assert "sk-fake-wrong" not in f"{caught.value!r} {caught.value}"
    assert open_client(server_url=locked_server.url, api_key=KEY).create(**HI, max_tokens=2).choices


def test_bad_request(client):
    with pytest.raises(BadRequestError) as caught:
        client.create(**HI, extra_body={"max_tokens": "many"})
    assert "max_tokens" in str(caught.value)
    assert caught.value.body["error"]["code"] == 400


def test_unknown_path(open_client, server):
    with pytest.raises(APIStatusError) as caught:
        open_client(server_url=server.url.replace("v2", "v9")).create(**HI)
    assert caught.value.status_code == 404


def test_model_still_loading(open_client, loading_server):
    client = open_client(server_url=loading_server.url, retries=0)
    with pytest.raises(InternalServerError) as caught:
        until_connected(client)
    assert caught.value.status_code == 503
    assert "oading" in str(caught.value)
    loading_server.wait()
    assert client.create(**HI, max_tokens=2).choices


def until_connected(client) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            client.create(**HI, max_tokens=2)
        except ConnectError:
            time.sleep(0.005)
        else:
            pytest.fail("the model was loaded before the first request came")
    pytest.fail("the server never listened")


def test_server_killed_mid_stream(open_client, doomed_server):
    client = open_client(server_url=doomed_server.url)
    stream = client.create(**ENDLESS, max_tokens=3000)
    seen = []
    with pytest.raises(StreamInterruptedError) as caught:
        for chunk in stream:
            seen.append(chunk.text)
            if len(seen) == 10:
                doomed_server.kill()
    assert len(seen) >= 10
    assert caught.value.delivered == len(seen)
    assert caught.value.partial.text == "".join(seen)
    assert caught.value.__cause__ is not None
    with pytest.raises(ConnectError):
        client.create(**HI)


def test_early_close_frees_the_slot(open_client, locked_server):
    client = open_client(server_url=locked_server.url, api_key=KEY)
    started = time.monotonic()
    stream = client.create(**ENDLESS, max_tokens=100_000)
    next(iter(stream))
    stream.close()
    assert client.create(**HI, max_tokens=2).choices
    assert time.monotonic() - started < 5


def test_embedded_server(open_client, tiny_model):
    need("xllamacpp")
    from orq_core.local import LocalModel

    with LocalModel(tiny_model, answer=6) as local:
        completion = open_client(server_url=local.url).create(**HI)
        assert completion.model == "tiny"
        assert completion.usage.completion_tokens <= 6
