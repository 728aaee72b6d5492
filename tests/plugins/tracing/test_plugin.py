"""Arguments, and telemetry that fails."""

from __future__ import annotations

import logging
import subprocess
import sys
from typing import Any

import pytest
from opentelemetry.sdk.trace import SpanProcessor
from opentelemetry.sdk.trace.sampling import Sampler

from orq_core import ConfigurationError
from orq_core.testing import Mode
from orq_plugins import Redaction, Tracing
from tests.plugins.talk import OK, OK_STREAM, Talk
from tests.plugins.tracing.conftest import Backend


@pytest.mark.parametrize(
    "given",
    [{"content": "full"}, {"semconv": "0.1"}, {"content": "redacted", "semconv": "1.36.0"}],
    ids=str,
)
def test_arguments_are_checked(given: Any):
    with pytest.raises(ConfigurationError, match=next(iter(given))):
        Tracing(**given)


def test_no_arguments_are_needed(mode: Mode):
    assert Talk(mode, OK, plugins=[Tracing()]).one().text == "hi there"


def test_a_missing_extra_is_named():
    code = (
        "import sys; sys.modules['opentelemetry'] = None\n"
        "from orq_core import ConfigurationError\n"
        "from orq_plugins import Redaction, Tracing\n"
        "try: Tracing()\n"
        "except ConfigurationError as error: print(error)\n"
    )
    command = [sys.executable, "-c", code]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "pip install 'orq-core[otel]'" in said


class Broken(SpanProcessor):
    """Fails at the start of a span, or at its end."""

    def __init__(self, when: str) -> None:
        self.when = when

    def on_start(self, span: Any, parent_context: Any = None) -> None:
        if self.when == ("attempt" if span.name == "POST" else "start"):
            raise RuntimeError("canary of a broken processor")

    def on_end(self, span: Any) -> None:
        if self.when == "end":
            raise RuntimeError("canary of a broken processor")


class BrokenSampler(Sampler):
    def should_sample(self, *args: Any, **kwargs: Any) -> Any:
        raise RuntimeError("canary of a broken sampler")

    def get_description(self) -> str:
        return "broken"


AT_ONCE = ("start", "attempt", "sample")
PARTS = {
    "item": "answer.Answer.add",
    "ask": "span.input_messages",
    "answer": "span.output_messages",
}


@pytest.mark.parametrize("when", [*AT_ONCE, "end", "metric", *PARTS])
def test_telemetry_that_fails_never_reaches_the_call(
    mode: Mode, caplog: Any, when: str, monkeypatch: Any
):
    backend = Backend(sampler=BrokenSampler()) if when == "sample" else Backend()
    if when in {"start", "attempt", "end"}:
        backend.tracers.add_span_processor(Broken(when))
    tracing = backend.tracing(content="redacted")

    def fail(*args: Any, **kwargs: Any) -> None:
        raise RuntimeError("canary of a broken metric")

    if when == "metric":
        monkeypatch.setattr(tracing._telemetry, "record", fail)
    if when in PARTS:
        monkeypatch.setattr(f"orq_plugins.tracing.{PARTS[when]}", fail)
    with caplog.at_level(logging.WARNING, "orq"):
        talk = Talk(mode, OK, OK_STREAM, plugins=[tracing, Redaction()])
        whole, streamed = talk.all({}, {"stream": True})
    assert (whole.text, streamed.text) == ("hi there", "hi there")
    (record,) = caplog.records
    assert "tracing failed (RuntimeError)" in record.getMessage()
    assert "canary" not in record.getMessage()
    assert record.exc_info is None
    if when not in AT_ONCE:
        assert len(backend.calls) == len(backend.attempts) == 2
    backend.close()


def test_a_failure_of_telemetry_does_not_hide_that_of_the_call(mode: Mode, caplog: Any):
    from orq_core import BadRequestError
    from tests.plugins.tracing.test_spans import BAD

    backend = Backend()
    backend.tracers.add_span_processor(Broken("end"))
    with caplog.at_level(logging.WARNING, "orq"):
        answer = Talk(mode, BAD, plugins=[backend.tracing()]).one()
    assert isinstance(answer.error, BadRequestError)
    backend.close()
