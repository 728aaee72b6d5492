"""What callers write, for mypy and pyright to judge; nothing here is run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from typing_extensions import assert_type

from orq_core import (
    APIStatusError,
    AsyncOrq,
    AsyncStream,
    Call,
    CallOptions,
    ChatCompletion,
    ChatCompletionChunk,
    Ending,
    Explanation,
    Items,
    Layer,
    Orq,
    Proceed,
    RequestError,
    Stream,
    StreamError,
    Timeout,
    hookimpl,
    observe,
    to_dict,
)

if TYPE_CHECKING:
    from orq_core.models import ChatCompletionRequest


def whole(client: Orq) -> None:
    completion = client.router.chat.completions.create(
        model="m",
        messages=[{"role": "user", "content": "hi"}],
        temperature=0.5,
        tools=[{"type": "function", "function": {"name": "f", "parameters": {}}}],
        timeout_ms=1000,
    )
    assert_type(completion, ChatCompletion)
    assert_type(completion.text, str)
    assert_type(to_dict(completion), dict[str, Any])
    for each in completion:
        assert_type(each, ChatCompletion)


def explained(client: Orq) -> None:
    assert_type(client.explain({"model": "m", "messages": []}), Explanation)
    told = client.explain(model="m", messages=[], stream=True, timeout_ms=1000)
    assert_type(told.to_dict(), dict[str, Any])
    assert_type(told.worst_case.attempts, int | None)


async def explained_async(client: AsyncOrq) -> None:
    assert_type(await client.explain(model="m", messages=[]), Explanation)


def streamed(client: Orq, messages: list[dict[str, Any]]) -> None:
    create = client.router.chat.completions.create
    stream = create(model="m", messages=messages, stream=True)
    assert_type(stream, Stream)
    with stream as events:
        for chunk in events:
            assert_type(chunk, ChatCompletionChunk)
            assert_type(chunk.data, ChatCompletionChunk)
    assert_type(stream.completion(), ChatCompletion)
    assert_type(stream.partial, ChatCompletion)


def either(client: Orq, stream: bool) -> None:
    answer = client.router.chat.completions.create(
        model="m",
        messages=[{"role": "user", "content": "hi"}],
        stream=stream,
    )
    assert_type(answer, ChatCompletion | Stream)


def seed_form(client: Orq, request: ChatCompletionRequest) -> None:
    client.router.chat.completions.create(request=request)
    client.router.chat.completions.create(
        request={"model": "m", "messages": [{"role": "user", "content": "hi"}]},
        options=CallOptions(timeout=Timeout(total=30)),
        plugin_options={"caching": {"ttl": 60}},
    )


async def asynchronous(client: AsyncOrq) -> None:
    create = client.router.chat.completions.create
    messages = [{"role": "user", "content": "hi"}]
    assert_type(await create(model="m", messages=messages), ChatCompletion)
    stream = await create(model="m", messages=messages, stream=True)
    assert_type(stream, AsyncStream)
    async with stream as events:
        async for chunk in events:
            assert_type(chunk, ChatCompletionChunk)


def errors(error: Exception) -> None:
    if isinstance(error, APIStatusError):
        assert_type(error.status_code, int)
        assert_type(error.retry_after, float | None)
    elif isinstance(error, StreamError):
        assert_type(error.partial, ChatCompletion | None)
        assert_type(error.delivered, int)
    elif isinstance(error, RequestError):
        assert_type(error.path, str | None)


class Plugin:
    @hookimpl
    def orq_wrap_create(self, call: Call) -> Layer | None:
        if call.stream:
            return observe(end=self.ended)
        return self.around

    def ended(self, ending: Ending) -> None:
        assert_type(ending.items, int)

    async def around(self, call: Call, request: ChatCompletionRequest, proceed: Proceed) -> Items:
        async for item in proceed(request):
            yield item
        await call.sleep(0)
