"""Layers around a call: order, endings on every way out, and nothing left open."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import weakref
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from orq_core import (
    APITimeoutError,
    ChatCompletion,
    ChatCompletionChunk,
    PluginError,
    ResponseDecodeError,
    StreamInterruptedError,
    StreamTruncatedError,
    SuspendedError,
    observe,
    transform,
)
from orq_core._feed import Feed
from orq_core._pipeline import Exchange
from orq_core._runtime import Asyncio, Blocking, drive
from orq_core.call import Call, CallOptions
from orq_core.layers import Ending
from orq_core.limits import Limits, Timeout
from orq_core.models import ChatCompletionRequest, make_converter
from orq_core.streams import AsyncStream, Stream

REQUEST = ChatCompletionRequest(model="fake/model", messages=[])
CONVERTER = make_converter()


def chunk(text: str, finish: str | None = None) -> ChatCompletionChunk:
    body = {"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": finish}]}
    return CONVERTER.structure(body, ChatCompletionChunk)


CHUNKS = [chunk("a"), chunk("b"), chunk("c", "stop")]


class Source:
    """An innermost layer without a network; remembers whether it was closed."""

    def __init__(self, items: list[Any], error: BaseException | None = None) -> None:
        self.items = items
        self.error = error
        self.opened = 0
        self.closed = 0
        self.aborted = 0

    async def __call__(self, call: Call, request: ChatCompletionRequest) -> Any:
        self.opened += 1
        try:
            for item in self.items:
                yield item
            if self.error is not None:
                raise self.error
        finally:
            self.closed += 1

    def abort(self) -> None:
        self.aborted += 1


async def pull(feed: Feed) -> ChatCompletionChunk | None:
    """Read one chunk, as streams do."""
    chunk = feed.ready()
    if chunk is None:
        await feed.prime()
        chunk = feed.ready()
    return chunk


class Mode:
    """Runs one body as blocking code or as a task."""

    def __init__(self, is_async: bool) -> None:
        self.is_async = is_async

    def call(self, stream: bool = True) -> Call:
        runtime = Asyncio() if self.is_async else Blocking()
        limits = Limits.start(Timeout())
        return Call(REQUEST, stream, "http://x.test", CallOptions(), runtime, limits)

    def feed(self, source: Source, *layers: Any, stream: bool = True) -> Feed:
        call = self.call(stream)
        return Feed(call, Exchange(call, layers, source), source.abort)

    def run(self, body: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
        if self.is_async:
            return asyncio.run(body())
        return drive(body())

    async def read(self, feed: Feed) -> list[str]:
        texts = []
        while (item := await pull(feed)) is not None:
            texts.append(item.text)
        return texts


@pytest.fixture(params=["sync", "async"])
def mode(request: pytest.FixtureRequest) -> Mode:
    return Mode(request.param == "async")


def recorder(endings: list[Ending]) -> Any:
    return observe(end=endings.append)


def test_layers_stand_outermost_first(mode: Mode) -> None:
    seen: list[str] = []

    def named(name: str) -> Any:
        async def layer(call: Call, request: ChatCompletionRequest, proceed: Any) -> Any:
            seen.append(f"{name} in")
            async for item in proceed(request):
                seen.append(name)
                yield item
            seen.append(f"{name} out")

        return layer

    source = Source(CHUNKS[:1])
    assert mode.run(lambda: mode.read(mode.feed(source, named("a"), named("b")))) == ["a"]
    assert seen == ["a in", "b in", "b", "a", "b out", "a out"]
    assert source.closed == 1


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (None, "ok"),
        (StreamTruncatedError("x"), "truncated"),
        (APITimeoutError("x", kind="total"), "deadline"),
        (APITimeoutError("x", kind="idle"), "stalled"),
        (APITimeoutError("x", kind="connect"), "error"),
        (ValueError("x"), "error"),
        (KeyboardInterrupt(), "cancelled"),
        (asyncio.CancelledError(), "cancelled"),
    ],
)
def test_each_way_out_is_seen_exactly_once(
    mode: Mode, error: BaseException | None, outcome: str
) -> None:
    endings: list[Ending] = []
    source = Source(CHUNKS, error)

    async def body() -> None:
        feed = mode.feed(source, recorder(endings), recorder(endings))
        try:
            await mode.read(feed)
        except BaseException as caught:
            assert caught is error
        await feed.close()

    mode.run(body)
    assert [ending.outcome for ending in endings] == [outcome, outcome]
    assert {ending.items for ending in endings} == {3}
    assert all(ending.error is error for ending in endings)
    assert source.closed == 1


def test_an_early_close_is_seen_by_every_layer_outermost_first(mode: Mode) -> None:
    endings: list[Ending] = []
    order: list[str] = []
    source = Source(CHUNKS)
    outer = observe(end=lambda ending: order.append("outer"))
    inner = observe(end=lambda ending: order.append("inner"))

    async def body() -> None:
        feed = mode.feed(source, recorder(endings), outer, inner)
        await pull(feed)
        await feed.close()
        await feed.close()
        assert await pull(feed) is None

    mode.run(body)
    assert [ending.outcome for ending in endings] == ["closed_early"]
    assert endings[0].error is None
    assert order == ["outer", "inner"]
    assert source.closed == 1


def test_a_dropped_blocking_stream_is_closed_at_once() -> None:
    endings: list[Ending] = []
    source = Source(CHUNKS)
    gc.disable()
    try:
        stream = Stream(Mode(False).feed(source, recorder(endings)))
        assert next(stream).text == "a"
        with pytest.warns(ResourceWarning, match="a stream was dropped"):
            del stream
        assert [ending.outcome for ending in endings] == ["closed_early"]
        assert source.closed == 1
    finally:
        gc.enable()


def test_a_broken_out_of_loop_closes_at_once() -> None:
    source = Source(CHUNKS)
    gc.disable()
    try:
        with pytest.warns(ResourceWarning, match="a stream was dropped"):
            for _ in Stream(Mode(False).feed(source)):
                break
        assert source.closed == 1
    finally:
        gc.enable()


def test_a_dropped_async_stream_ends_even_layers_that_await() -> None:
    source = Source(CHUNKS)
    ended: list[str] = []

    async def slow_end(call: Call, request: ChatCompletionRequest, proceed: Any) -> Any:
        try:
            async for item in proceed(request):
                yield item
        finally:
            await call.run(ended.append, "ended")

    async def body() -> None:
        stream = AsyncStream(Mode(True).feed(source, slow_end))
        assert (await stream.__anext__()).text == "a"
        with pytest.warns(ResourceWarning, match="a stream was dropped"):
            del stream
        for _ in range(100):
            if source.closed:
                break
            await asyncio.sleep(0.01)
        assert ended == ["ended"]
        assert source.closed == 1
        assert len(asyncio.all_tasks()) == 1

    asyncio.run(body())


async def waits_at_its_end(call: Call, request: ChatCompletionRequest, proceed: Any) -> Any:
    try:
        async for item in proceed(request):
            yield item
    finally:
        with contextlib.suppress(ValueError):
            await asyncio.shield(fails_soon())
        await asyncio.sleep(0.01)


async def fails_soon() -> None:
    await asyncio.sleep(0)
    raise ValueError("an end that fails")


def test_a_dropped_stream_hands_failures_on_to_the_layer_that_waits() -> None:
    source = Source(CHUNKS)

    async def body() -> None:
        stream = AsyncStream(Mode(True).feed(source, waits_at_its_end))
        await stream.__anext__()
        with pytest.warns(ResourceWarning, match="a stream was dropped"):
            del stream
        for _ in range(100):
            if source.closed:
                break
            await asyncio.sleep(0.01)
        assert source.closed == 1

    asyncio.run(body())


def test_the_rest_of_an_end_that_fails_is_told_to_nobody() -> None:
    async def bad_end(call: Call, request: ChatCompletionRequest, proceed: Any) -> Any:
        try:
            async for item in proceed(request):
                yield item
        finally:
            await asyncio.sleep(0)
            raise ValueError("bad end")

    source = Source(CHUNKS)

    async def body() -> None:
        stream = AsyncStream(Mode(True).feed(source, bad_end))
        await stream.__anext__()
        with pytest.warns(ResourceWarning, match="a stream was dropped"):
            del stream
        for _ in range(100):
            if source.closed:
                break
            await asyncio.sleep(0.01)
        assert source.closed == 1

    asyncio.run(body())
    stream = Stream(Mode(False).feed(Source(CHUNKS), failing_end))
    next(stream)
    with pytest.warns(ResourceWarning, match="a stream was dropped"):
        del stream


async def failing_end(call: Call, request: ChatCompletionRequest, proceed: Any) -> Any:
    try:
        async for item in proceed(request):
            yield item
    finally:
        raise ValueError("bad end")


def test_a_stream_dropped_without_a_loop_gives_up_what_waits() -> None:
    kept: list[AsyncStream] = []

    async def body() -> None:
        stream = AsyncStream(Mode(True).feed(Source(CHUNKS), waits_for_the_loop))
        await stream.__anext__()
        kept.append(stream)

    loop = asyncio.new_event_loop()
    loop.run_until_complete(body())
    with pytest.warns(ResourceWarning, match="a stream was dropped"):
        kept.clear()
        gc.collect()
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.close()


async def waits_for_the_loop(call: Call, request: ChatCompletionRequest, proceed: Any) -> Any:
    loop = asyncio.get_running_loop()
    try:
        async for item in proceed(request):
            yield item
    finally:
        await loop.create_future()


def test_only_one_reads_at_a_time() -> None:
    gate = asyncio.Event()

    async def slow(call: Call, request: ChatCompletionRequest, proceed: Any) -> Any:
        async for item in proceed(request):
            await gate.wait()
            yield item

    async def body() -> None:
        feed = Mode(True).feed(Source(CHUNKS), slow)
        first = asyncio.create_task(pull(feed))
        await asyncio.sleep(0)
        with pytest.raises(RuntimeError, match="being read by another"):
            await pull(feed)
        await feed.close()
        gate.set()
        assert await first is not None
        with pytest.raises(StreamInterruptedError, match="closed by another"):
            await pull(feed)

    asyncio.run(body())


def test_a_call_without_items_is_an_error(mode: Mode) -> None:
    async def silent(call: Call, request: ChatCompletionRequest, proceed: Any) -> Any:
        async for _ in proceed(request):
            pass
        return
        yield

    with pytest.raises(ResponseDecodeError, match="without an answer"):
        mode.run(lambda: mode.feed(Source(CHUNKS), silent, stream=False).whole())


def test_a_call_pauses_and_runs_blocking_code(mode: Mode) -> None:
    call = mode.call()

    async def body() -> int:
        await call.sleep(0)
        return await call.run(lambda: 42)

    assert mode.run(body) == 42
    assert len(call.id) == 32


def test_async_text_deltas_and_the_context_manager() -> None:
    source = Source(CHUNKS)

    async def body() -> list[str]:
        async with AsyncStream(Mode(True).feed(source)) as stream:
            assert "0 chunks read" in repr(stream)
            return [text async for text in stream.text_deltas()]

    assert asyncio.run(body()) == ["a", "b", "c"]
    with Stream(Mode(False).feed(source)) as stream:
        assert list(stream.text_deltas()) == ["a", "b", "c"]
        assert stream.partial.text == stream.completion().text == "abc"


def test_a_stream_dropped_after_its_loop_is_still_closed() -> None:
    source = Source(CHUNKS)
    kept: list[AsyncStream] = []

    async def body() -> None:
        stream = AsyncStream(Mode(True).feed(source))
        await stream.__anext__()
        kept.append(stream)

    asyncio.run(body())
    with pytest.warns(ResourceWarning, match="a stream was dropped"):
        kept.clear()
        gc.collect()
    assert source.closed == 1


def test_cancelling_a_task_closes_everything() -> None:
    endings: list[Ending] = []
    source = Source(CHUNKS)

    async def stall(call: Call, request: ChatCompletionRequest, proceed: Any) -> Any:
        async for item in proceed(request):
            yield item
            await asyncio.sleep(60)

    async def body() -> None:
        mode = Mode(True)
        task = asyncio.create_task(mode.read(mode.feed(source, recorder(endings), stall)))
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(body())
    assert [ending.outcome for ending in endings] == ["cancelled"]
    assert source.closed == 1


def test_a_layer_may_proceed_again(mode: Mode) -> None:
    source = Source(CHUNKS[:1], ValueError("again"))

    async def retry(call: Call, request: ChatCompletionRequest, proceed: Any) -> Any:
        for _ in range(3):
            try:
                async for item in proceed(request):
                    yield item
            except ValueError:
                continue
            return

    feed = mode.feed(source, retry)
    assert mode.run(lambda: mode.read(feed)) == ["a", "a", "a"]
    assert source.opened == source.closed == 3


def test_a_layer_that_abandons_what_it_opened_leaves_nothing_open(mode: Mode) -> None:
    source = Source(CHUNKS)

    async def impatient(call: Call, request: ChatCompletionRequest, proceed: Any) -> Any:
        async for item in proceed(request):
            yield item
            break

    assert mode.run(lambda: mode.read(mode.feed(source, impatient))) == ["a"]
    assert source.closed == 1


def test_transform_changes_both_directions(mode: Mode) -> None:
    sent: list[str] = []

    def shout(item: Any) -> Any:
        if item.text == "b":
            return None
        item.choices[0].delta.content = item.text.upper()
        return item

    def rename(request: ChatCompletionRequest) -> ChatCompletionRequest:
        return ChatCompletionRequest(model="other", messages=request.messages)

    source = Source([chunk("a"), chunk("b"), chunk("c")])
    feed = mode.feed(
        source,
        transform(request=rename, item=shout),
        observe(start=lambda request: sent.append(request.model)),
    )
    assert mode.run(lambda: mode.read(feed)) == ["A", "C"]
    assert sent == ["other"]


def test_a_transform_fails_closed(mode: Mode) -> None:
    source = Source(CHUNKS)

    def refuse(request: ChatCompletionRequest) -> ChatCompletionRequest:
        raise ValueError("refused")

    with pytest.raises(ValueError, match="refused"):
        mode.run(lambda: mode.read(mode.feed(source, transform(request=refuse))))
    assert source.opened == 0


def test_an_observer_fails_open_and_is_reported_once(
    mode: Mode, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(value: object) -> None:
        raise ValueError("broken observer")

    layer = observe(start=broken, item=broken, end=broken)
    assert mode.run(lambda: mode.read(mode.feed(Source(CHUNKS), layer))) == ["a", "b", "c"]
    assert [record.name for record in caplog.records] == ["orq"]
    assert "broken" in caplog.records[0].getMessage()


def test_a_layer_must_be_an_async_generator(mode: Mode) -> None:
    async def forgot_to_yield(call: Call, request: ChatCompletionRequest, proceed: Any) -> Any:
        return None

    with pytest.raises(PluginError, match=r"forgot_to_yield.*async generator"):
        mode.run(lambda: mode.read(mode.feed(Source(CHUNKS), forgot_to_yield)))


def test_a_layer_must_yield_items(mode: Mode) -> None:
    async def wrong(call: Call, request: ChatCompletionRequest, proceed: Any) -> Any:
        yield "text"

    with pytest.raises(PluginError, match="yielded str"):
        mode.run(lambda: mode.read(mode.feed(Source(CHUNKS), wrong)))


def test_a_layer_that_waits_for_a_loop_is_told_so_in_blocking_code() -> None:
    source = Source(CHUNKS)

    async def waits(call: Call, request: ChatCompletionRequest, proceed: Any) -> Any:
        async for item in proceed(request):
            await asyncio.sleep(0)
            yield item

    with pytest.raises(SuspendedError):
        list(Stream(Mode(False).feed(source, waits)))
    assert source.closed == 1


def test_proceeding_after_the_end_is_an_error(mode: Mode) -> None:
    kept: list[Any] = []

    async def keeper(call: Call, request: ChatCompletionRequest, proceed: Any) -> Any:
        kept.append(proceed)
        async for item in proceed(request):
            yield item

    async def body() -> None:
        await mode.read(mode.feed(Source(CHUNKS), keeper))

    mode.run(body)
    gc.collect()
    with pytest.raises(RuntimeError, match="after the call had ended"):
        kept[0](REQUEST)


def test_whole_joins_chunks_and_takes_a_completion(mode: Mode) -> None:
    async def joined() -> ChatCompletion:
        return await mode.feed(Source(CHUNKS), stream=False).whole()

    assert mode.run(joined).text == "abc"
    completion = mode.run(joined)

    async def given() -> ChatCompletion:
        return await mode.feed(Source([completion]), stream=False).whole()

    assert mode.run(given) is completion
    assert completion.info is not None
    assert completion.info.elapsed is not None


def test_a_completion_in_a_stream_becomes_chunks(mode: Mode) -> None:
    completion = CONVERTER.structure(
        {"choices": [{"index": 0, "message": {"content": "whole"}, "finish_reason": "stop"}]},
        ChatCompletion,
    )
    texts = mode.run(lambda: mode.read(mode.feed(Source([completion]))))
    assert "".join(texts) == "whole"


def test_a_failing_end_of_a_layer_is_raised_after_the_rest_was_closed(mode: Mode) -> None:
    source = Source(CHUNKS)

    async def bad_end(call: Call, request: ChatCompletionRequest, proceed: Any) -> Any:
        try:
            async for item in proceed(request):
                yield item
        finally:
            raise ValueError("bad end")

    async def body() -> None:
        feed = mode.feed(source, bad_end)
        await pull(feed)
        await feed.close()

    with pytest.raises(ValueError, match="bad end"):
        mode.run(body)
    assert source.closed == 1


def test_no_reference_cycle_keeps_a_failed_call(mode: Mode) -> None:
    endings: list[Ending] = []

    async def body() -> weakref.ref[Exchange]:
        source = Source(CHUNKS, ValueError("x"))
        feed = mode.feed(source, recorder(endings))
        try:
            await mode.read(feed)
        except ValueError:
            endings.clear()
            source.error = None
        return weakref.ref(feed._exchange)

    gc.collect()
    gc.disable()
    try:
        assert mode.run(body)() is None
    finally:
        gc.enable()


def test_the_error_of_a_closing_layer_keeps_no_call(mode: Mode) -> None:
    async def failing(call: Call, request: ChatCompletionRequest, proceed: Any) -> Any:
        try:
            async for item in proceed(request):
                yield item
        finally:
            raise LookupError("nothing to close")

    async def body() -> Any:
        feed = mode.feed(Source(CHUNKS), failing)
        await pull(feed)
        with contextlib.suppress(LookupError):
            await feed.close()
        return weakref.ref(feed.call)

    gc.disable()
    try:
        assert mode.run(body)() is None
    finally:
        gc.enable()
