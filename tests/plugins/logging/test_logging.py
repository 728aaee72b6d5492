"""What is logged of a call: one line at its end, its fields, and never what was said."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import logging
import re
import time
from collections.abc import Iterator
from typing import Any

import pytest
from attrs import evolve

from orq_core import (
    BadRequestError,
    Call,
    ConfigurationError,
    ConnectError,
    OrqError,
    Timeout,
    hookimpl,
)
from orq_core.testing import (
    DONE,
    Cut,
    LocalRouter,
    Mode,
    Raise,
    ScriptedTransport,
    Stall,
    Wait,
    chunk,
    completion,
    error_event,
    reply,
    stream,
)
from orq_plugins import Caching, Logging, Redaction, Retries
from orq_plugins.logging import HEADERS
from tests.plugins.talk import HELLO, KEY, OK, OK_STREAM, SERVER, Talk, ask

FIELDS = {
    "call_id",
    "request_id",
    "trace_id",
    "model_asked",
    "model_answered",
    "stream",
    "attempts",
    "status",
    "outcome",
    "finish_reason",
    "error_type",
    "error_code",
    "cache",
    "redactions",
    "latency_ms",
    "ttfb_ms",
    "ttft_ms",
    "tokens_per_s",
    "events",
    "bytes",
    "input_tokens",
    "output_tokens",
    "reasoning_tokens",
    "cached_tokens",
    "plugin_ms",
}
_USUAL = set(vars(logging.LogRecord("n", 0, "p", 0, "m", None, None))) | {"message", "asctime"}


class JsonLines(logging.Handler):
    """Formats each record as JSON: message, logger, level and whatever else it carries."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[dict[str, Any]] = []

    def emit(self, record: logging.LogRecord) -> None:
        fields = {name: value for name, value in vars(record).items() if name not in _USUAL}
        said = {"message": record.getMessage(), "logger": record.name, "level": record.levelname}
        self.lines.append(json.loads(json.dumps({**said, **fields})))

    def ends(self) -> list[dict[str, Any]]:
        return [e for e in self.lines if e["logger"] == "orq.call" and e["level"] == "INFO"]

    def of(self, logger: str, level: str) -> list[dict[str, Any]]:
        return [e for e in self.lines if e["logger"] == logger and e["level"] == level]


@pytest.fixture
def lines() -> Iterator[JsonLines]:
    yield from _listening(logging.INFO)


@pytest.fixture
def all_lines() -> Iterator[JsonLines]:
    yield from _listening(logging.DEBUG)


def _listening(level: int) -> Iterator[JsonLines]:
    handler = JsonLines()
    logger = logging.getLogger("orq")
    before = logger.level
    logger.addHandler(handler)
    logger.setLevel(level)
    yield handler
    logger.removeHandler(handler)
    logger.setLevel(before)


def test_the_fields_of_a_whole_answer(mode: Mode, lines: JsonLines):
    usage = {
        "prompt_tokens": 5,
        "completion_tokens": 7,
        "total_tokens": 12,
        "prompt_tokens_details": {"cached_tokens": 3},
        "completion_tokens_details": {"reasoning_tokens": 2},
    }
    headers = {"x-request-id": "req-fake", "x-orq-trace-id": "trace-fake"}
    answer = reply({**completion("hi"), "usage": usage}, headers=headers)
    made = Talk(mode, answer, plugins=[Logging()]).one()
    (end,) = lines.ends()
    assert set(end) == FIELDS | {"message", "logger", "level"}
    assert end["call_id"] == made.info.call_id
    expected = {
        "request_id": "req-fake",
        "trace_id": "trace-fake",
        "model_asked": "fake/model",
        "model_answered": "fake/model",
        "stream": False,
        "attempts": 1,
        "status": 200,
        "outcome": "ok",
        "finish_reason": "stop",
        "error_type": None,
        "error_code": None,
        "cache": None,
        "redactions": 0,
        "events": 1,
        "input_tokens": 5,
        "output_tokens": 7,
        "reasoning_tokens": 2,
        "cached_tokens": 3,
        "bytes": len(answer.body),
    }
    assert {name: end[name] for name in expected} == expected
    for name in ("latency_ms", "ttfb_ms", "ttft_ms", "plugin_ms"):
        assert end[name] >= 0


def test_the_fields_of_a_stream(mode: Mode, lines: JsonLines):
    Talk(mode, OK_STREAM, plugins=[Logging()]).one(stream=True)
    (end,) = lines.ends()
    assert (end["stream"], end["events"], end["finish_reason"]) == (True, 4, "stop")
    assert end["bytes"] == len(OK_STREAM.body)
    assert end["ttfb_ms"] <= end["ttft_ms"] <= end["latency_ms"]


class Explodes:
    """Fails at its second item."""

    @hookimpl(trylast=True)
    def orq_wrap_create(self, call: Any) -> Any:
        async def around(call: Any, request: Any, proceed: Any) -> Any:
            seen = 0
            async for item in proceed(request):
                seen += 1
                if seen == 2 or not call.stream:
                    raise ZeroDivisionError("made up")
                yield item

        return around


UNFINISHED = stream(chunk("a"), chunk("b"))
WAYS_OUT = {
    "ok": (OK, {}, (), "ok", None),
    "ok stream": (OK_STREAM, {"stream": True}, (), "ok", None),
    "status": (reply({"error": {"message": "no", "code": "nope"}}, status=400), {}, (), "error",
               "BadRequestError"),
    "connect": (ConnectError("made up"), {}, (), "error", "ConnectError"),
    "truncated": (UNFINISHED, {"stream": True}, (), "truncated", "StreamTruncatedError"),
    "interrupted": (stream(chunk("a"), Cut()), {"stream": True}, (), "truncated",
                    "StreamInterruptedError"),
    "stalled": (stream(chunk("a"), Stall()), {"stream": True}, (), "stalled", "APITimeoutError"),
    "deadline": (stream(chunk("a"), Stall()),
                 {"stream": True, "timeout_ms": 0.5}, (), "deadline", "APITimeoutError"),
    "error event": (stream(chunk("a"), error_event("overloaded")), {"stream": True}, (), "error",
                    "APIStreamError"),
    "plugin": (OK_STREAM, {"stream": True}, (Explodes(),), "error", "ZeroDivisionError"),
    "plugin whole": (OK, {}, (Explodes(),), "error", "ZeroDivisionError"),
    "bytes": (reply(b"<html>not json"), {}, (), "error", "ResponseDecodeError"),
}  # fmt: skip


@pytest.mark.parametrize("way", WAYS_OUT)
def test_one_line_at_each_end(mode: Mode, lines: JsonLines, way: str):
    given, call, plugins, outcome, error = WAYS_OUT[way]
    talk = Talk(mode, given, plugins=[Logging(), *plugins])
    try:
        talk.one(**call)
    except ZeroDivisionError:
        assert plugins
    (end,) = lines.ends()
    assert (end["outcome"], end["error_type"]) == (outcome, error)
    assert len(lines.of("orq.stream", "WARNING")) == (outcome in {"truncated", "stalled"})


@pytest.mark.parametrize("leave", ["close", "drop"])
def test_one_line_for_a_stream_left_early(mode: Mode, lines: JsonLines, leave: str):
    talk = Talk(mode, OK_STREAM, plugins=[Logging()])

    async def body() -> None:
        async with talk.client() as client:
            given = {"messages": HELLO, "model": "fake/model", "stream": True}
            opened = await mode.create(client, **given)
            async for _ in mode.iterate(opened):
                break
            if leave == "close":
                await mode.close(opened)
            warned = pytest.warns(ResourceWarning, match="a stream was dropped")
            with warned if leave == "drop" else contextlib.nullcontext():
                del opened
                gc.collect()
                if mode.is_async:
                    # `mode.iterate` holds the stream until the loop has closed it.
                    await asyncio.sleep(0.01)

    mode.run(body)
    (end,) = lines.ends()
    assert (end["outcome"], end["error_type"]) == ("closed_early", None)
    assert (end["attempts"], end["status"]) == (1, 200)


def arrived(router: LocalRouter) -> None:
    latest = time.monotonic() + 20
    while not router.requests and time.monotonic() < latest:
        time.sleep(0.005)


def test_one_line_for_a_cancelled_task(lines: JsonLines, orq_router: LocalRouter):
    import threading

    never = threading.Event()
    orq_router.always(stream(chunk("a"), Wait(never)))
    mode = Mode("async")

    async def body() -> None:
        client = {"api_key": KEY, "server_url": orq_router.url, "plugins": [Logging()]}
        async with mode.client(**client, discover=False) as opened:
            task = asyncio.create_task(ask(mode, opened, stream=True))
            await asyncio.to_thread(arrived, orq_router)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        never.set()

    mode.run(body)
    (end,) = lines.ends()
    assert end["outcome"] == "cancelled"


def test_one_line_for_an_interrupted_thread(lines: JsonLines):
    given = stream(chunk("a"), Raise(KeyboardInterrupt()))
    talk = Talk(Mode("sync"), given, plugins=[Logging()])
    with pytest.raises(KeyboardInterrupt):
        talk.one(stream=True)
    (end,) = lines.ends()
    assert end["outcome"] == "cancelled"


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
def test_a_code_is_the_servers(mode: Mode, lines: JsonLines, streamed: bool):
    said = {"error": {"message": "m", "code": "rate_limit_exceeded"}}
    inside = stream(chunk("hi"), error_event(code="server_error"))
    for given, code in (
        (reply(said, status=429), "rate_limit_exceeded"),
        (inside, "server_error"),
        (SystemExit("a private word"), None),
    ):
        with contextlib.suppress(SystemExit):
            Talk(mode, given, plugins=[Logging()]).one(stream=streamed)
        assert lines.ends()[-1]["error_code"] == code


def test_repeats_are_warned_of(mode: Mode, lines: JsonLines):
    down = reply({"error": {"message": "down"}}, status=503, headers={"retry-after": "0"})
    Talk(mode, down, OK, plugins=[Logging(), Retries()]).one()
    (warning,) = lines.of("orq.attempt", "WARNING")
    assert (warning["attempt"], warning["status"]) == (1, 503)
    (end,) = lines.ends()
    assert (end["attempts"], end["outcome"]) == (2, "ok")


class Doubtful:
    """Asks again although it was answered."""

    @hookimpl
    def orq_wrap_create(self, call: Call) -> Any:
        return self.around

    async def around(self, call: Call, request: Any, proceed: Any) -> Any:
        for _ in range(2):
            answer = [item async for item in proceed(request)]
        for item in answer:
            yield item


def test_an_answer_is_not_said_to_have_failed(mode: Mode, lines: JsonLines):
    assert Talk(mode, OK, plugins=[Logging(), Doubtful()]).one().text == "hi there"
    (line,) = lines.of("orq.attempt", "WARNING")
    assert line["message"] == "attempt 1 ended (200), repeating"
    assert line["error_type"] is None


def test_what_other_plugins_did(mode: Mode, lines: JsonLines):
    plugins = [Redaction(), Logging(), Caching()]
    call = {"messages": [{"role": "user", "content": "joe.fake@example.com"}], "temperature": 0}
    Talk(mode, OK, plugins=plugins).all(call, call)
    one, two = lines.ends()
    assert (one["cache"], two["cache"]) == ("miss", "hit")
    assert (one["redactions"], two["redactions"]) == (1, 1)
    assert two["attempts"] == 0


def test_slow_calls_and_plugins(mode: Mode, lines: JsonLines):
    plugin = Logging(slow=1e-9, slow_plugins=1e-9)
    Talk(mode, OK, plugins=[plugin]).one()
    said = " ".join(line["message"] for line in lines.of("orq.call", "WARNING"))
    assert "slow call" in said
    assert "plugins took" in said


def test_sampling_keeps_what_failed(mode: Mode, lines: JsonLines):
    bad = reply({"error": {"message": "no"}}, status=400)
    Talk(mode, OK, bad, plugins=[Logging(sample=0)]).all({}, {})
    (end,) = lines.ends()
    assert end["outcome"] == "error"
    del lines.lines[:]
    plugin = Logging(sample=0.5)
    Talk(mode, OK, plugins=[plugin]).all(*[{}] * 60)
    assert 10 < len(lines.ends()) < 50


def test_nobody_listens_nothing_is_done(mode: Mode):
    talk = Talk(mode, OK, plugins=[Logging()])
    logger = logging.getLogger("orq")
    logger.setLevel(logging.CRITICAL)
    try:

        async def body() -> None:
            async with talk.client() as client:
                hook = client._core.manager.hook.orq_wrap_create
                assert hook(call=None) == []

        mode.run(body)
    finally:
        logger.setLevel(logging.NOTSET)


def test_a_failing_handler_never_reaches_the_call(mode: Mode, capsys: Any):
    class Broken(logging.Handler):
        def handle(self, record: logging.LogRecord) -> bool:
            raise RuntimeError("the log is full")

    handler = Broken()
    logger = logging.getLogger("orq")
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    try:
        answers = Talk(mode, OK, plugins=[Logging()]).all({}, {})
    finally:
        logger.removeHandler(handler)
        logger.setLevel(logging.NOTSET)
    assert [answer.text for answer in answers] == ["hi there"] * 2
    assert capsys.readouterr().err.count("not said again") == 1


class Namesake:
    """Goes by the name of another plugin and notes what that one never would."""

    name = "redaction"

    @hookimpl
    def orq_wrap_create(self, call: Call) -> None:
        call.note(self.name, request=3)


@pytest.mark.parametrize("way", ["whole", "streamed", "refused"])
def test_an_odd_note_never_reaches_the_call(mode: Mode, lines: JsonLines, way: str, capsys: Any):
    given = {"whole": OK, "streamed": OK_STREAM, "refused": reply(status=400)}[way]
    talk = Talk(mode, given, plugins=[Logging(), Namesake()])
    for answer in talk.all(*[{"stream": way == "streamed"}] * 2):
        assert type(answer.error) is (BadRequestError if way == "refused" else type(None))
    assert capsys.readouterr().err.count("not said again") == 1


DEBUGGED = ("orq", "urllib3", "aiohttp", "asyncio", "requests")
CANARY = "canary-of-a-prompt"


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("fails", [False, True], ids=["ok", "fails"])
def test_no_content_and_no_key_at_any_level(
    mode: Mode, streamed: bool, fails: bool, orq_router: LocalRouter, caplog: Any
):
    key = "fake-canary-of-a-key-123456"
    if fails:
        said = {"error": {"message": f"I was told {CANARY} with {key}"}}
        orq_router.always(reply(said, status=500))
    for name in DEBUGGED:
        caplog.set_level(logging.DEBUG, name)
    messages = [{"role": "user", "content": CANARY}]

    async def body() -> None:
        plugins = [Logging(events_every=1), Retries(random=lambda: 0.0)]
        client = {"api_key": key, "server_url": orq_router.url, "plugins": plugins}
        async with mode.client(**client, discover=False) as opened:
            answer = await ask(mode, opened, messages=messages, stream=streamed, retries=1)
            assert (answer.error is not None) == fails

    mode.run(body)
    assert {"orq.call", "orq.attempt"} <= {record.name for record in caplog.records}
    everything = "".join(str(vars(record)) + record.getMessage() for record in caplog.records)
    assert "canary" not in everything


def test_debug_lines(mode: Mode, all_lines: JsonLines):
    headers = {"x-request-id": "req-fake", "x-secret-thing": "hidden"}
    talk = Talk(mode, reply(completion("hi"), headers=headers), plugins=[Logging()])
    talk.one(http_headers={"x-hidden": "hidden"})
    begun, ended = all_lines.of("orq.attempt", "DEBUG")
    assert begun["headers"]["Accept"] == "application/json"
    assert ended["headers"]["x-request-id"] == "req-fake"
    assert "hidden" not in json.dumps(all_lines.lines)


def test_debug_lines_of_a_stream_that_is_left(mode: Mode, all_lines: JsonLines):
    down = reply({"error": {"message": "down"}}, status=503, headers={"retry-after": "0"})
    given = evolve(OK_STREAM, headers={**OK_STREAM.headers, "x-request-id": "req-fake"})
    talk = Talk(mode, down, given, plugins=[Logging(), Retries(random=lambda: 0.0)])

    async def body() -> None:
        async with talk.client() as client:
            await mode.close(
                await mode.create(client, messages=HELLO, model="fake/model", stream=True)
            )

    mode.run(body)
    failed, left = all_lines.of("orq.attempt", "DEBUG")[-2:]
    assert (failed["message"], failed["headers"]) == ("attempt 1 ended: InternalServerError", {})
    assert (left["message"], left["attempt"]) == ("attempt 2 left: 200", 2)
    assert left["headers"]["x-request-id"] == "req-fake"


def test_a_url_is_shown_as_it_was_called_but_for_its_query(mode: Mode, all_lines: JsonLines):
    Talk(mode, OK, plugins=[Logging()], server_url="http://[::1]:8080/v1?key=hidden").one()
    begun = all_lines.of("orq.attempt", "DEBUG")[0]
    assert begun["message"] == "attempt 1: POST http://[::1]:8080/v1/chat/completions"


def test_more_headers_may_be_shown(mode: Mode, all_lines: JsonLines):
    headers = {"x-request-id": "req-fake", "x-mine": "shown", "x-secret-thing": "hidden"}
    given = reply(completion("hi"), headers=headers)
    Talk(mode, given, plugins=[Logging(headers={*HEADERS, "X-Mine"})]).one()
    ended = all_lines.of("orq.attempt", "DEBUG")[-1]
    assert (ended["headers"]["x-mine"], ended["headers"]["x-request-id"]) == ("shown", "req-fake")
    assert "hidden" not in json.dumps(all_lines.lines)


def test_events_are_sampled(mode: Mode, all_lines: JsonLines):
    given = stream(*[chunk("a")] * 10, chunk(finish_reason="stop"), DONE)
    Talk(mode, given, plugins=[Logging(events_every=4)]).one(stream=True)
    assert [line["events"] for line in all_lines.of("orq.stream", "DEBUG")] == [4, 8]


IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "QUJD" * 50}}


def shown(mode: Mode, lines: JsonLines, content: str, *plugins: Any) -> Any:
    messages = [{"role": "user", "content": [{"type": "text", "text": "ask Joe"}, IMAGE]}]
    talk = Talk(mode, OK_STREAM, plugins=[Logging(content=content), *plugins])
    talk.one(messages=messages, stream=True)
    (end,) = lines.ends()
    return end


def test_content_is_off_by_default(mode: Mode, lines: JsonLines):
    assert "request_content" not in shown(mode, lines, "off")


@pytest.mark.parametrize("content", ["shape", "redacted"])
def test_the_shape_of_content(mode: Mode, lines: JsonLines, content: str):
    end = shown(mode, lines, content)
    (message,) = end["request_content"]
    assert message["role"] == "user"
    assert [part["kind"] for part in message["parts"]] == ["text", "image_url"]
    assert end["answer_content"] == {"length": 8}
    assert "Joe" not in json.dumps(end)


@pytest.mark.parametrize(
    ("content", "plugins"), [("full", ()), ("redacted", (Redaction(),))], ids=["full", "redacted"]
)
def test_what_was_said(mode: Mode, lines: JsonLines, content: str, plugins: Any):
    end = shown(mode, lines, content, *plugins)
    (message,) = end["request_content"]
    assert message["content"][0]["text"] == "ask Joe"
    assert message["content"][1]["image_url"]["url"].startswith("<image/png, 200 characters")
    assert end["answer_content"] == "hi there"
    assert "QUJD" not in json.dumps(end)


DATA = "QUJD" * 80


@pytest.mark.parametrize(
    ("text", "written"),
    [
        (f"see ![](data:image/png;base64,{DATA}) there", "see ![](<image/png, 320 …>) there"),
        (f"data:image/png;base64,{DATA}", "<image/png, 320 …>"),
        (f"data:;base64,{DATA[:70]}\n{DATA[70:]}", "<data, 321 …>"),
        (f"<i src='data:image/svg+xml;a=b,%3C{DATA}'>", "<i src='<image/svg+xml, 323 …>'>"),
        (f"and {DATA}.", "and <base64, 320 …>."),
        ("data: a, b", "data: a, b"),
        ("metadata:text/plain,x", "metadata:text/plain,x"),
    ],
    ids=["embedded", "whole", "lines", "not base64", "base64", "words", "another word"],
)
def test_data_is_never_logged(mode: Mode, lines: JsonLines, text: str, written: str):
    talk = Talk(mode, reply(completion(text)), plugins=[Logging(content="full")])
    talk.one(messages=[{"role": "user", "content": text}])
    (end,) = lines.ends()
    for said in (end["request_content"][0]["content"], end["answer_content"]):
        assert re.sub(r"characters, sha256 \w{12}", "…", said) == written


@pytest.mark.parametrize(
    "given",
    [
        {"content": "some"},
        {"sample": 2},
        {"slow": 0},
        {"slow_plugins": -1},
        {"events_every": -1},
    ],
    ids=str,
)
def test_arguments_are_checked(given: Any):
    with pytest.raises(ConfigurationError, match=next(iter(given))):
        Logging(**given)


def test_no_handler_but_a_null_one():
    handlers = logging.getLogger("orq").handlers
    assert [type(handler) for handler in handlers] == [logging.NullHandler]


def test_a_failure_keeps_nothing_alive(mode: Mode, lines: JsonLines):
    transport = ScriptedTransport(stream(chunk("a"), Cut()), is_async=mode.is_async)

    async def body() -> None:
        client = {"api_key": KEY, "server_url": SERVER, "transport": transport}
        plugins = {"plugins": [Logging()], "discover": False, "timeout": Timeout(total=5)}
        async with mode.client(**client, **plugins) as opened:
            answer = await mode.create(opened, model="m", messages=HELLO, stream=True)
            with pytest.raises(OrqError):
                async for _ in mode.iterate(answer):
                    pass

    mode.run(body)
    assert transport.open_responses == 0
    assert len(lines.ends()) == 1


def test_of_a_long_answer_the_beginning_is_kept(mode: Mode, lines: JsonLines):
    text = "ab " * 40_000
    Talk(mode, reply(completion(text)), plugins=[Logging(content="full")]).one()
    assert lines.ends()[0]["answer_content"] == text[:100_000]


def test_a_repeated_call_that_is_left_is_logged_whatever_the_sample(mode: Mode, lines: JsonLines):
    down = reply({"error": {"message": "down"}}, status=503, headers={"retry-after": "0"})
    plugins = [Logging(sample=0), Retries(random=lambda: 0.0)]
    talk = Talk(mode, down, OK_STREAM, plugins=plugins)

    async def body() -> None:
        async with talk.client() as client:
            opened = await mode.create(client, messages=HELLO, model="fake/model", stream=True)
            async for _ in mode.iterate(opened):
                break
            await mode.close(opened)

    mode.run(body)
    (end,) = lines.ends()
    assert (end["outcome"], end["attempts"]) == ("closed_early", 2)
