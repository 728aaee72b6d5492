"""The conformance kit: good plugins pass, each broken one fails for its own rule, at its line."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import Any

import pytest

from orq_core import hookimpl
from orq_core.testing import PluginCheckError, Report, check_plugin
from orq_core.testing.conformance import RULES, Options, plan
from orq_plugins import Caching, Logging, Redaction, Retries, Tracing
from tests.testing import broken_plugins as broken

HERE = Path(broken.__file__)
PAGE = HERE.parents[2] / "docs" / "plugins" / "testing.md"
MARK = re.compile(r"  # ([a-z-]+)$")

DECLARED: dict[type, dict[str, Any]] = {
    broken.ForgetsTheReason: {"changes_items": True},
    broken.Costs: {"max_event_us": 5.0},
}
BROKEN = [
    kind
    for kind in vars(broken).values()
    if inspect.isclass(kind) and kind.__module__ == broken.__name__ and kind is not broken.Plugin
]


def marked(kind: type) -> tuple[str, str]:
    lines, first = inspect.getsourcelines(kind)
    for number, line in enumerate(lines):
        if found := MARK.search(line.rstrip()):
            return found[1], f"{HERE.name}:{first + number}"
    raise AssertionError(f"{kind.__name__} has no mark")


@pytest.fixture(autouse=True)
def end_threads():
    broken.LeavesAThread.stop.clear()
    yield
    broken.LeavesAThread.stop.set()
    for file in broken.LeavesAFile.files:
        file.close()
    broken.LeavesAFile.files.clear()
    broken.KeepsTheCall.plugins.clear()


@pytest.mark.parametrize("kind", BROKEN, ids=lambda kind: kind.__name__)
def test_each_broken_plugin_fails_for_its_rule_at_its_line(kind: Any) -> None:
    rule, where = marked(kind)
    report = check_plugin(kind, raise_on_failure=False, **DECLARED.get(kind, {}))
    assert {verdict.rule for verdict in report.failures} == {rule}, str(report)
    places = {Path(verdict.where).name for verdict in report.failures}
    assert where in places, str(report)


def test_each_rule_has_a_plugin_that_breaks_it() -> None:
    assert {marked(kind)[0] for kind in BROKEN} == {rule.name for rule in RULES}


@pytest.mark.parametrize(
    ("kind", "declared"),
    [
        (broken.Plugin, {}),
        (Logging, {}),
        (Caching, {}),
        (Redaction, {"changes_items": True}),
        (Retries, {"recovers_errors": True}),
        (Tracing, {}),
    ],
    ids=lambda each: getattr(each, "__name__", ""),
)
def test_good_plugins_pass(kind: Any, declared: Any) -> None:
    report = check_plugin(kind, **declared)
    assert report.passed
    assert {verdict.rule for verdict in report.verdicts} == {rule.name for rule in RULES}
    print(report)
