"""The conformance kit: good plugins pass, each broken one fails for its own rule, at its line."""

from __future__ import annotations

import asyncio
import inspect
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from orq_core import hookimpl
from orq_core.testing import PluginCheckError, Report, check_plugin
from orq_core.testing.conformance import RULES, Options, frozen, plan
from orq_plugins import (
    Budget,
    BudgetLimit,
    Caching,
    Logging,
    RateLimit,
    Redaction,
    Retries,
    Tracing,
)
from tests.testing import broken_plugins as broken

HERE = Path(broken.__file__)
PAGE = HERE.parents[2] / "docs" / "plugins" / "testing.md"
MARK = re.compile(r"  # ([a-z-]+)$")

DECLARED: dict[type, dict[str, Any]] = {
    broken.ForgetsTheReason: {"changes_items": True},
    broken.Costs: {"max_event_us": 5.0},
}
ENDLESS = {broken.NeverEnds, broken.NeverEndsUnderAsyncio}
pytest_plugins = ("pytester",)
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


def looked_at(rule: str, name: str) -> bool:
    """Leave out what takes long and what is judged elsewhere."""
    if name.startswith(("interleaved", "overhead")):
        return rule in {"isolation", "overhead"}
    sync = name in {"break-sync-stream", "ctrl-c-sync-stream", "error-middle-sync-stream"}
    return sync or name.startswith("exhausted") or name.endswith("async-stream")


@pytest.mark.parametrize("kind", BROKEN, ids=lambda kind: kind.__name__)
def test_each_broken_plugin_fails_for_its_rule_at_its_line(
    kind: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orq_core.testing.conformance.isolation._PATIENCE", 0.5)
    if kind in ENDLESS:
        monkeypatch.setattr("orq_core.testing.conformance.patience.PATIENCE", 0.2)
    rule, where = marked(kind)
    options = Options(**DECLARED.get(kind, {}))
    checks = plan(kind, options)
    if not checks[0].run()[0].passed:
        checks = checks[:1]
    else:
        checks = [check for check in checks if looked_at(rule, check.name)]
    with frozen():
        verdicts = [verdict for check in checks for verdict in check.run()]
    report = Report(kind.__name__, tuple(verdicts))
    assert {verdict.rule for verdict in report.failures} == {rule}, str(report)
    places = {Path(verdict.where).name for verdict in report.failures}
    assert where in places, str(report)
    assert all(f"#{rule}" in verdict.docs for verdict in report.failures)


def test_what_does_not_end_ends_the_check(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orq_core.testing.conformance.patience.PATIENCE", 0.2)
    report = check_plugin(broken.NeverEnds, raise_on_failure=False)
    assert [verdict.rule for verdict in report.failures] == ["endings"]
    assert report.failures[0].message.startswith("the call did not end")


@pytest.mark.parametrize("kind", [broken.NeverEnds, broken.NeverEndsUnderAsyncio])
def test_each_part_of_the_kit_ends(kind: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orq_core.testing.conformance.patience.PATIENCE", 0.2)
    monkeypatch.setattr("orq_core.testing.conformance.isolation._PATIENCE", 0.2)
    checks = [each for each in plan(kind, Options()) if each.name.startswith(("over", "inter"))]
    with frozen():
        for check in checks:
            check.run()


def test_what_can_not_be_a_layer_is_told() -> None:
    report = check_plugin(broken.NoGenerator, raise_on_failure=False)
    assert "a layer is an async generator function" in report.failures[0].message


def test_each_rule_has_a_plugin_that_breaks_it() -> None:
    assert {marked(kind)[0] for kind in BROKEN} == {rule.name for rule in RULES}


def limiting() -> RateLimit:
    return RateLimit(requests_per_minute=10**6, tokens_per_minute=10**9, concurrency=64)


def budgeting() -> Budget:
    return Budget(BudgetLimit(tokens=10**12, cost=10**6), prices={"*": (1, 2)})


@pytest.mark.parametrize(
    ("kind", "declared"),
    [
        (broken.Plugin, {}),
        (Logging, {}),
        (Caching, {}),
        (Redaction, {"changes_items": True}),
        (Retries, {"recovers_errors": True}),
        (Tracing, {}),
        (limiting, {}),
        (budgeting, {}),
    ],
    ids=lambda each: getattr(each, "__name__", ""),
)
def test_good_plugins_pass(kind: Any, declared: Any) -> None:
    report = check_plugin(kind, **declared)
    assert report.passed
    assert {verdict.rule for verdict in report.verdicts} == {rule.name for rule in RULES}
    print(report)


STAMP = """
from orq_core import hookimpl


class Stamp:
    @hookimpl
    def orq_wrap_create(self, call):
        return self.around

    async def around(self, call, request, proceed):
        async for item in proceed(request):
            yield item


class Quiet(Stamp):
    async def around(self, call, request, proceed):
        try:
            async for item in proceed(request):
                yield item
        except Exception:
            return


class Misspelt:
    @hookimpl
    def orq_wrap_creation(self, call):
        return None
"""


@pytest.fixture
def stranger(pytester: pytest.Pytester) -> Any:
    """Someone's project, with a plugin and no test of it."""
    pytester.makeini("[pytest]")
    pytester.makepyfile(acme=STAMP)

    def run(*arguments: str) -> pytest.RunResult:
        return pytester.runpytest_subprocess("-p", "no:asyncio", "-p", "no:cov", *arguments)

    return run


def test_pytest_checks_a_plugin_without_a_test_file(stranger: Any) -> None:
    result = stranger("-v", "--orq-plugin", "acme:Stamp")
    result.assert_outcomes(passed=len(plan(broken.Plugin, Options())))
    result.stdout.fnmatch_lines(["orq-plugin::acme:Stamp::break-async-stream PASSED*"])


def test_pytest_names_rule_scenario_line_and_page(stranger: Any) -> None:
    result = stranger("--orq-plugin", "acme:Quiet", "-k", "error-middle")
    result.assert_outcomes(failed=4, deselected=len(plan(broken.Plugin, Options())) - 4)
    result.stdout.fnmatch_lines(
        [
            "acme.py:19: errors broken in error-middle (sync-stream)",
            "*StreamInterruptedError inside, and the caller met no error*",
            "*see docs/plugins/testing.md#errors",
        ],
    )
    assert "Traceback" not in result.stdout.str()


def test_pytest_takes_several_plugins_and_what_they_declare(stranger: Any) -> None:
    names = ["--orq-plugin", "acme:Quiet[recovers_errors]", "--orq-plugin", "acme:Stamp"]
    result = stranger(*names, "-k", "exhausted or loading")
    result.assert_outcomes(passed=10, deselected=2 * len(plan(broken.Plugin, Options())) - 10)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("acme", "'acme' is not spelled module:factory*"),
        ("acme:Missing", "module 'acme' has no attribute 'Missing'"),
        ("nowhere:Missing", "No module named 'nowhere'"),
        ("acme:Stamp[fast]", "fast: known are changes_items, recovers_errors"),
        ("acme:__name__", "acme:__name__ can't be called*"),
    ],
)
def test_pytest_refuses_what_names_no_plugin(stranger: Any, name: str, told: str) -> None:
    result = stranger("--orq-plugin", name)
    result.stderr.fnmatch_lines([f"ERROR: --orq-plugin: {told}"])
    assert result.ret == pytest.ExitCode.USAGE_ERROR


def test_pytest_finds_a_plugin_where_it_is_called(
    pytester: pytest.Pytester, stranger: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    del stranger
    script = Path(sys.executable).with_name("pytest")
    if not script.exists():
        pytest.skip("pytest was installed without its script")
    monkeypatch.delenv("PYTHONPATH", raising=False)
    result = pytester.run(script, "-pno:asyncio", "--orq-plugin=acme:Stamp", "-k", "loading")
    result.assert_outcomes(passed=1, deselected=len(plan(broken.Plugin, Options())) - 1)


def test_pytest_stops_at_a_plugin_that_does_not_load(stranger: Any) -> None:
    result = stranger("--orq-plugin", "acme:Misspelt")
    result.assert_outcomes(failed=1)


def test_the_error_says_what_is_broken_where_and_where_to_read_of_it() -> None:
    with pytest.raises(PluginCheckError) as caught:
        check_plugin(broken.Misspelt)
    rule, where = marked(broken.Misspelt)
    text = str(caught.value)
    assert f"{where}: {rule} broken in loading" in text
    assert f"docs/plugins/testing.md#{rule}" in text
    assert "unknown hook 'orq_wrap_creation'" in text
    assert isinstance(caught.value, AssertionError)
    [verdict] = caught.value.report.failures
    assert not verdict.passed


def test_what_is_declared_is_not_held_against_a_plugin() -> None:
    assert check_plugin(broken.Changes, changes_items=True).passed
    assert check_plugin(broken.HidesFailures, recovers_errors=True).passed


def test_a_request_makes_a_plugin_take_part() -> None:
    class ForSome(broken.Plugin):
        @hookimpl
        def orq_wrap_create(self, call: Any) -> Any:
            return self.around if call.options_for("forsome").get("on") else None

    assert not check_plugin(ForSome, raise_on_failure=False).passed
    assert check_plugin(ForSome, request={"plugin_options": {"forsome": {"on": True}}}).passed


@pytest.mark.parametrize("streamed", [False, True])
def test_a_plugin_may_be_for_one_kind_of_answer(streamed: bool) -> None:
    class ForOneKind(broken.Plugin):
        @hookimpl
        def orq_wrap_create(self, call: Any) -> Any:
            return self.around if call.stream is streamed else None

    assert check_plugin(ForOneKind).passed


def test_where_a_loop_is_running_it_says_what_to_do() -> None:
    async def cell() -> Report:
        with pytest.raises(RuntimeError, match="to_thread"):
            check_plugin(broken.Plugin)
        return await asyncio.to_thread(check_plugin, broken.Plugin)

    assert asyncio.run(cell()).passed


def test_one_object_for_all_is_no_factory() -> None:
    plugin = broken.Plugin()
    report = check_plugin(lambda: plugin, raise_on_failure=False)
    assert [verdict.rule for verdict in report.failures] == ["loading"]
    assert "the same plugin twice" in report.failures[0].message


def test_every_rule_is_explained() -> None:
    headings = re.findall(r"^#+ ([a-z-]+)$", PAGE.read_text("utf-8"), re.MULTILINE)
    assert [name for name in headings if name in {rule.name for rule in RULES}] == [
        rule.name for rule in RULES
    ]
