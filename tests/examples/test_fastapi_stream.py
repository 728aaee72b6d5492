"""The streaming service, over real sockets: whole answers, errors, and clients that leave."""

from __future__ import annotations

import json
import threading

import pytest
import requests

from orq_core.testing import DONE, Cut, Wait, chunk, reply, stream
from tests.examples.conftest import soon


def ask(service, prompt="one two three"):
    return requests.post(f"{service}/chat", json={"prompt": prompt}, stream=True, timeout=10)


def events(answer):
    for block in answer.iter_lines(chunk_size=1, delimiter=b"\n\n"):
        if block:
            name, data = block.decode().split("\n")
            yield name.removeprefix("event: "), json.loads(data.removeprefix("data: "))


def test_answer_is_streamed(service):
    with ask(service) as answer:
        assert answer.headers["Content-Type"].startswith("text/event-stream")
        said = list(events(answer))
    assert [name for name, _ in said] == ["text"] * 3 + ["done"]
    assert "".join(data for name, data in said if name == "text") == "one two three"


def test_each_event_goes_out_at_once(service, orq_router):
    go_on = threading.Event()
    orq_router.enqueue(stream(chunk("one"), Wait(go_on), chunk(" two", finish_reason="stop"), DONE))
    with ask(service) as answer:
        said = events(answer)
        assert next(said) == ("text", "one")
        go_on.set()
        assert list(said) == [("text", " two"), ("done", "stop")]


def test_client_that_leaves_ends_the_call_upstream(service, orq_router):
    orq_router.enqueue(stream(chunk("one"), Wait(threading.Event()), DONE))
    with ask(service) as answer:
        said = events(answer)  # held, since dropping it would close the connection
        assert next(said) == ("text", "one")
        assert orq_router.disconnected == 0
    assert soon(lambda: orq_router.disconnected == 1)


def test_client_that_leaves_before_the_first_event(service, orq_router):
    orq_router.enqueue(stream(Wait(threading.Event()), chunk("one"), DONE))
    with pytest.raises(requests.ReadTimeout):
        requests.post(f"{service}/chat", json={"prompt": "hi"}, timeout=0.3)
    assert soon(lambda: orq_router.disconnected == 1)


@pytest.mark.parametrize(("upstream", "status"), [(429, 429), (401, 502), (503, 502)])
def test_failure_before_the_first_event_is_a_status(service, orq_router, upstream, status):
    refusal = reply({"error": {"message": "fake-secret"}}, status=upstream)
    orq_router.always(refusal)
    with ask(service) as answer:
        assert answer.status_code == status
        assert "fake-secret" not in answer.text


def test_failure_within_the_stream_is_an_event(service, orq_router):
    orq_router.enqueue(stream(chunk("one"), Cut()))
    with ask(service) as answer:
        said = list(events(answer))
    assert said[0] == ("text", "one")
    assert said[-1][0] == "error"
    assert said[-1][1]["error"] == "StreamInterruptedError"


@pytest.mark.parametrize("prompt", ["", "x" * 10_001])
def test_prompts_that_are_refused(service, orq_router, prompt):
    with ask(service, prompt) as answer:
        assert answer.status_code == 422
    assert orq_router.requests == []
