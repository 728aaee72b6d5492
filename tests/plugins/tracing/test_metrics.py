"""What is measured of calls, in which buckets, under which names."""

from __future__ import annotations

import pytest

from orq_core.testing import DONE, Mode, chunk, completion, reply, stream
from orq_plugins import Caching
from tests.plugins.talk import Talk
from tests.plugins.tracing.conftest import Backend
from tests.plugins.tracing.test_spans import BAD, COMMON, USAGE

SECONDS = (
    0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92,
)  # fmt: skip
TOKENS = (
    1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216, 67108864,
)  # fmt: skip
DURATION = "gen_ai.client.operation.duration"
USED = "gen_ai.client.token.usage"
FIRST = "gen_ai.client.operation.time_to_first_chunk"
EACH = "gen_ai.client.operation.time_per_output_chunk"
ANSWERED = {**COMMON, "gen_ai.response.model": "fake/model"}
LONG = stream(
    *[chunk("a")] * 5,
    {**chunk(finish_reason="stop"), "usage": USAGE},
    DONE,
)


def test_a_stream(mode: Mode, backend: Backend):
    Talk(mode, LONG, plugins=[backend.tracing()]).one(stream=True)
    (duration,) = backend.points(DURATION)
    assert (duration.count, dict(duration.attributes)) == (1, ANSWERED)
    assert duration.explicit_bounds == SECONDS
    (first,) = backend.points(FIRST)
    assert (first.count, dict(first.attributes)) == (1, ANSWERED)
    assert first.explicit_bounds == SECONDS
    (each,) = backend.points(EACH)
    assert (each.count, dict(each.attributes)) == (5, ANSWERED)
    assert each.explicit_bounds == SECONDS
    assert 0 < first.sum <= first.sum + each.sum <= duration.sum
    used = {point.attributes["gen_ai.token.type"]: point for point in backend.points(USED)}
    assert {side: point.sum for side, point in used.items()} == {"input": 5, "output": 7}
    assert used["input"].explicit_bounds == TOKENS
    assert dict(used["input"].attributes) == {**ANSWERED, "gen_ai.token.type": "input"}


def test_a_whole_answer_has_no_chunks(mode: Mode, backend: Backend):
    given = reply({**completion("hi"), "usage": USAGE})
    Talk(mode, given, plugins=[backend.tracing()]).one()
    assert [point.count for point in backend.points(DURATION)] == [1]
    assert len(backend.points(USED)) == 2
    assert backend.points(FIRST) == backend.points(EACH) == []


def test_a_failure_is_told_apart(mode: Mode, backend: Backend):
    Talk(mode, BAD, plugins=[backend.tracing()]).one()
    (duration,) = backend.points(DURATION)
    assert dict(duration.attributes) == {**COMMON, "error.type": "BadRequestError"}
    assert backend.points(USED) == []


def test_counts_that_are_no_counts_are_left_out(mode: Mode, backend: Backend):
    usage = {"prompt_tokens": -1, "completion_tokens": 3}
    given = reply({**completion("hi"), "usage": usage})
    Talk(mode, given, plugins=[backend.tracing()]).one()
    (used,) = backend.points(USED)
    assert (used.attributes["gen_ai.token.type"], used.sum) == ("output", 3)


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
def test_a_hit_has_a_duration_only(mode: Mode, backend: Backend, streamed: bool):
    """It takes no tokens, and its chunks come as fast as memory gives them."""
    talk = Talk(mode, LONG, plugins=[Caching(), backend.tracing()])
    talk.all({"temperature": 0}, {"temperature": 0, "stream": streamed})
    durations = {
        point.attributes["orq.cache.result"]: point.count for point in backend.points(DURATION)
    }
    assert durations == {"miss": 1, "hit": 1}
    assert {point.count for point in backend.points(USED)} == {1}
    assert backend.points(FIRST) == backend.points(EACH) == []


def test_values_lead_to_their_trace(mode: Mode, backend: Backend):
    """An exemplar names the span of the call that a value came from."""
    Talk(mode, LONG, plugins=[backend.tracing()]).one(stream=True)
    for name in (DURATION, USED, FIRST, EACH):
        for point in backend.points(name):
            assert point.exemplars
            assert {each.span_id for each in point.exemplars} == {backend.one.context.span_id}


def test_older_conventions(mode: Mode, backend: Backend):
    tracing = backend.tracing(semconv="1.36.0", provider="openai")
    Talk(mode, LONG, plugins=[tracing]).one(stream=True)
    attributes = backend.one.attributes
    assert attributes["gen_ai.system"] == "openai"
    assert "gen_ai.provider.name" not in attributes
    assert "gen_ai.request.stream" not in attributes
    assert [point.count for point in backend.points(DURATION)] == [1]
    assert len(backend.points(USED)) == 2
    assert backend.points(FIRST) == backend.points(EACH) == []


def test_the_times_of_chunks_may_be_left_out(mode: Mode, backend: Backend):
    Talk(mode, LONG, plugins=[backend.tracing(chunk_times=False)]).one(stream=True)
    assert backend.points(EACH) == []
    assert [point.count for point in backend.points(FIRST)] == [1]
