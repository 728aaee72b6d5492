"""`check_plugin`: all scenarios, all verdicts."""

from __future__ import annotations

import gc
import inspect
import time
from contextlib import contextmanager
from functools import partial
from itertools import product
from typing import TYPE_CHECKING, Any

from attrs import define, field

from orq_core._runtime import is_in_a_loop
from orq_core.errors import OrqError
from orq_core.manager import plugin_manager
from orq_core.testing.conformance import rules
from orq_core.testing.conformance.isolation import isolation
from orq_core.testing.conformance.judge import STUCK, Bench, judge
from orq_core.testing.conformance.origin import Origin
from orq_core.testing.conformance.overhead import overhead
from orq_core.testing.conformance.report import PluginCheckError, Report, Verdict
from orq_core.testing.conformance.scenarios import SCENARIOS, Scenario
from orq_core.testing.conformance.scene import Factory, Options, hushed, play
from orq_core.testing.modes import MODES, Mode

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping

# What a busy machine, or a module's first use, can cause once.
_CONFIRMED = frozenset({rules.LEAKS.name, rules.MEMORY.name, rules.EVENT_LOOP.name})


def check_plugin(
    factory: Factory,
    *,
    changes_items: bool = False,
    recovers_errors: bool = False,
    request: Mapping[str, Any] | None = None,
    max_event_us: float | None = None,
    raise_on_failure: bool = True,
) -> Report:
    """Run a plugin through every way a call can go, and judge it by each of `RULES`.

    ``factory``: a class or function without arguments that returns a new plugin.
    ``changes_items``: it changes, adds or leaves out items on purpose. ``recovers_errors``: it may
    turn a failure into an answer, or ask again. ``request``: arguments of ``create`` that make the
    plugin take part. ``max_event_us``: microseconds of CPU that it may add to an event of a stream.

    Nothing is sent: the answers are scripted. It takes some seconds, in the calling thread.

    Raises PluginCheckError when a rule was broken, unless ``raise_on_failure`` is false, and
    RuntimeError in a thread that runs an event loop, as a notebook does.
    """
    if is_in_a_loop():
        raise RuntimeError(
            "check_plugin runs event loops of its own, and this thread runs one; "
            "use `await asyncio.to_thread(check_plugin, factory)`",
        )
    began = time.monotonic()
    checks = plan(
        factory,
        Options(changes_items, recovers_errors, max_event_us, {} if request is None else request),
    )
    verdicts: list[Verdict] = []
    figures: dict[str, float] = {}
    with frozen():
        for check in checks:
            verdicts += check.run()
            figures.update(check.figures)
            if _is_last(check, verdicts):
                break
    name = getattr(factory, "__qualname__", type(factory).__name__)
    report = Report(name, tuple(verdicts), figures, time.monotonic() - began)
    if raise_on_failure and not report.passed:
        raise PluginCheckError(report)
    return report


def _is_last(check: Check, verdicts: list[Verdict]) -> bool:
    """Tell whether the rest would say the same again, or not end."""
    last = verdicts[-1]
    return not last.passed and (check.name == "loading" or last.message.startswith(STUCK))


@define
class Check:
    """One part of the kit, that can be run alone."""

    name: str
    judged: Callable[[dict[str, float]], list[Verdict]]
    figures: dict[str, float] = field(factory=dict[str, float])

    def run(self) -> list[Verdict]:
        """Run it with a fresh plugin."""
        return self.judged(self.figures)


def plan(factory: Factory, options: Options) -> list[Check]:
    """List every part of the kit, the first of which is ``loading``."""
    checks = [Check("loading", lambda _: loading(factory))]
    confirmed: set[str] = set()
    for scenario, mode in product(SCENARIOS, MODES):
        for stream in scenario.kinds if mode.name in scenario.modes else ():
            played = partial(_played, scenario, mode, factory, options, stream, confirmed)
            checks.append(Check(_name(scenario.name, mode, stream=stream), played))
    for mode, stream in product(MODES, (False, True)):
        isolated = partial(_isolated, mode, factory, options, stream)
        checks.append(Check(_name("interleaved", mode, stream=stream), isolated))
    for mode in MODES:
        measured = partial(_measured, mode, factory, options)
        checks.append(Check(_name("overhead", mode, stream=True), measured))
    return checks


def _name(scenario: str, mode: Mode, *, stream: bool) -> str:
    return f"{scenario}-{mode.name}-{'stream' if stream else 'json'}"


def loading(factory: Factory) -> list[Verdict]:
    """Judge whether a plugin can be made and registered."""
    bench = Bench("loading", "sync, async", "")
    plugin: object = None
    problem, where = None, None
    try:
        plugin = factory()
        if plugin is factory():
            problem = "the factory gave the same plugin twice; each call of it must make a new one"
        elif inspect.isclass(plugin):
            problem = f"the factory gave the class {plugin.__name__}, not a plugin"
        else:
            plugin_manager([plugin], discover=False)
    except OrqError as error:
        problem = str(error)
    except Exception as error:  # noqa: BLE001 - whatever the plugin under test raises is the verdict on it
        problem = f"{type(error).__name__} when the plugin was made"
        where = Origin(factory if plugin is None else plugin, factory).of_error(error)
    origin = Origin(factory if plugin is None else plugin, factory)
    bench.default = origin.definition
    bench.say(rules.LOADING, problem, where)
    return bench.verdicts


def _played(
    scenario: Scenario,
    mode: Mode,
    factory: Factory,
    options: Options,
    stream: bool,
    confirmed: set[str],
    _: dict[str, float],
) -> list[Verdict]:
    verdicts = _judged(scenario, mode, factory, options, stream=stream)
    if _broken(verdicts) & _CONFIRMED - confirmed:
        verdicts = _judged(scenario, mode, factory, options, stream=stream)
        confirmed |= _broken(verdicts)
    return verdicts


def _judged(
    scenario: Scenario, mode: Mode, factory: Factory, options: Options, *, stream: bool
) -> list[Verdict]:
    seen = play(scenario, mode, factory, options, stream=stream)
    if seen.stays_out and scenario.name == "exhausted":
        # It may be for streams alone, or for whole answers.
        other = play(scenario, mode, factory, options, stream=not stream)
        seen.elsewhere = not other.stays_out
    return judge(scenario, seen, options)


def _broken(verdicts: list[Verdict]) -> set[str]:
    return {verdict.rule for verdict in verdicts if not verdict.passed}


def _isolated(
    mode: Mode, factory: Factory, options: Options, stream: bool, _: dict[str, float]
) -> list[Verdict]:
    with hushed():
        return isolation(mode, factory, options, stream=stream)


def _measured(
    mode: Mode, factory: Factory, options: Options, figures: dict[str, float]
) -> list[Verdict]:
    with hushed():
        verdicts, figure = overhead(mode, factory, options)
    if figure is not None:
        figures[f"{mode.name}-stream"] = figure
    return verdicts


@contextmanager
def frozen() -> Generator[None, None, None]:
    """Keep what is there already out of the collector's way, which runs often."""
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


__all__ = ["Check", "Options", "check_plugin", "frozen", "plan"]
