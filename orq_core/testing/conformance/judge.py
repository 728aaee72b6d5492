"""From what was seen to verdicts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import define, field

from orq_core.errors import PluginError, SuspendedError
from orq_core.testing.conformance import rules
from orq_core.testing.conformance.items import difference
from orq_core.testing.conformance.report import Verdict

if TYPE_CHECKING:
    from orq_core.testing.conformance.rules import Rule
    from orq_core.testing.conformance.scenarios import Scenario
    from orq_core.testing.conformance.scene import Options
    from orq_core.testing.conformance.seen import Seen

STUCK = "the call did not end"
_NO_LOOP = "no running event loop"
_KEPT = "kept"


@define
class Bench:
    """Collects the verdicts on one run."""

    scenario: str
    mode: str
    default: str
    verdicts: list[Verdict] = field(factory=list[Verdict])

    def say(self, rule: Rule, problem: str | None = None, where: str | None = None) -> bool:
        """Give a verdict; return whether the rule was kept."""
        passed = problem is None
        message = _KEPT if problem is None else f"{problem} (the rule: {rule.asks})"
        place = where or self.default
        self.verdicts.append(
            Verdict(rule.name, self.scenario, self.mode, passed, message, place, rule.docs)
        )
        return passed

    @property
    def clean(self) -> bool:
        """Whether no rule was broken so far."""
        return all(verdict.passed for verdict in self.verdicts)


def judge(scenario: Scenario, seen: Seen, options: Options) -> list[Verdict]:
    """Judge one run; what follows from a failure that was told already is not told again."""
    bench = Bench(scenario.name, seen.name, seen.origin.definition)
    if seen.stuck is not None:
        bench.say(rules.ENDINGS, f"{STUCK}, and waited at this line", seen.stuck)
        return bench.verdicts
    if _loads(bench, scenario, seen) and _runs(bench, seen):
        _ends(bench, scenario, seen, options)
        if bench.clean:
            _passes(bench, scenario, seen, options)
    _event_loop(bench, seen)
    if bench.clean:
        _leaves_nothing(bench, seen)
    return bench.verdicts


def _loads(bench: Bench, scenario: Scenario, seen: Seen) -> bool:
    if seen.chain and issubclass(seen.chain[0], PluginError) and seen.raised_where is None:
        return bench.say(rules.LOADING, seen.raised_text)
    if scenario.name == "exhausted":
        problem: str | None = None
        if seen.stays_out and not seen.elsewhere:
            problem = "orq_wrap_create gave no layer; pass request= with what makes it take part"
        return bench.say(rules.LOADING, problem)
    return True


def _runs(bench: Bench, seen: Seen) -> bool:
    if seen.mode.is_async:
        return True
    if seen.suspended is not None or (seen.chain and issubclass(seen.chain[0], SuspendedError)):
        where = seen.suspended or seen.raised_where
        return bench.say(rules.BLOCKING_MODE, "this line awaits what needs an event loop", where)
    if _NO_LOOP in seen.raised_text:
        return bench.say(rules.BLOCKING_MODE, "this line asks for an event loop", seen.raised_where)
    return bench.say(rules.BLOCKING_MODE)


def _ends(bench: Bench, scenario: Scenario, seen: Seen, options: Options) -> None:
    if seen.unfinished:
        waits = "the layer was closed, and goes on to wait at this line"
        bench.say(rules.CLOSING, waits, seen.unfinished[0])
        return
    rule, problem = _how_it_ended(scenario, seen, options)
    if problem is not None:
        where = seen.raised_where if seen.raised else seen.origin.handler(seen.asked)
        bench.say(rule, problem, where)
        return
    if rule is not rules.CLOSING:
        bench.say(rule)
    if seen.closing_failed is None:
        bench.say(rules.CLOSING)
    else:
        failed = f"{seen.closing_failed} when the client was closed"
        bench.say(rules.CLOSING, failed, seen.closing_where)


def _how_it_ended(scenario: Scenario, seen: Seen, options: Options) -> tuple[Rule, str | None]:
    """Compare the caller's end of a call with what it has to be."""
    expected, error = scenario.expected, scenario.error
    problem: str | None
    found = seen.raised or "no error"
    # A call that failed before its caller could leave failed as any other does.
    early = seen.raised is not None and not seen.leaving
    if expected == "stopped" and seen.inner_error is error:
        early = False
    if expected == "ok" or (early and expected != "error"):
        problem = f"{found} in a call that the server answered"
        return rules.ERRORS, None if seen.raised is None else problem
    if expected == "left":
        arrived = seen.raised is None if error is None else error in seen.chain[:1]
        return rules.CLOSING, None if arrived else f"closing the layer ended in {found}"
    if expected == "stopped":
        assert error is not None
        arrived = bool(seen.chain) and issubclass(seen.chain[0], error)
        what = "Ctrl-C" if issubclass(error, KeyboardInterrupt) else "the task was cancelled"
        return rules.CANCELLATION, None if arrived else f"{what}, and the caller met {found}"
    # A plugin that asked nobody had no failure to pass on.
    if options.recovers_errors or seen.inner_error in {None, *seen.chain}:
        return rules.ERRORS, None
    assert seen.inner_error is not None
    return rules.ERRORS, (
        f"{seen.inner_error.__name__} inside, and the caller met {found}; "
        "declare recovers_errors=True if this is on purpose"
    )


def _passes(bench: Bench, scenario: Scenario, seen: Seen, options: Options) -> None:
    if len(seen.inner_endings) > 1 and not options.recovers_errors:
        endings = ", ".join(seen.inner_endings)
        problem = f"one call had {len(seen.inner_endings)} endings inside: {endings}"
        bench.say(rules.ENDINGS, problem, seen.asked)
        return
    whole = scenario.expected in {"ok", "error"}
    again = options.recovers_errors and scenario.expected == "error"
    judged = not (options.changes_items or again)
    kept = bench.say(rules.ITEMS, *(difference(seen, whole=whole) if judged else ()))
    if kept and scenario.expected == "ok":
        kept = bench.say(rules.FINISH_REASON, _unfinished(seen), seen.asked)
    if not kept:
        return
    if seen.read_late:
        bench.say(rules.ENDINGS, "the caller had left, and this line read on", seen.asked_late)
    else:
        bench.say(rules.ENDINGS)


def _unfinished(seen: Seen) -> str | None:
    if seen.reasons and all(reason is not None for reason in seen.reasons):
        return None
    return "the answer was finished, and came without finish_reason"


def _event_loop(bench: Bench, seen: Seen) -> None:
    if not seen.mode.is_async:
        return
    for what, where in [*seen.blocked, *seen.stalled][:1]:
        bench.say(rules.EVENT_LOOP, f"{what} on the event loop; use call.run", where)
        return
    bench.say(rules.EVENT_LOOP)


def _leaves_nothing(bench: Bench, seen: Seen) -> None:
    for what, where in seen.left[:1]:
        bench.say(rules.LEAKS, what, where)
        return
    bench.say(rules.LEAKS)
    for what, where in seen.kept[:1]:
        bench.say(rules.MEMORY, what, where)
        return
    bench.say(rules.MEMORY)
    for what, where in seen.attached[:1]:
        bench.say(rules.ISOLATION, what, where)
        return
    bench.say(rules.ISOLATION)
