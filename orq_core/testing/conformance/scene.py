"""Runs one scenario with a fresh plugin and looks at it from all sides."""

from __future__ import annotations

import asyncio
import gc
import sys
import warnings
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from contextvars import copy_context
from typing import TYPE_CHECKING, Any

from attrs import define, field

from orq_core import AsyncOrq, Orq
from orq_core.testing.conformance import leftovers
from orq_core.testing.conformance.context import changed
from orq_core.testing.conformance.origin import Origin
from orq_core.testing.conformance.patience import Patience
from orq_core.testing.conformance.probes import Probes
from orq_core.testing.conformance.scenarios import Act
from orq_core.testing.conformance.scripts import Gate, Interrupted
from orq_core.testing.conformance.seen import Seen
from orq_core.testing.conformance.watch import Heart, Watch
from orq_core.testing.scripted import ScriptedTransport

if TYPE_CHECKING:
    from orq_core.testing.conformance.scenarios import Scenario
    from orq_core.testing.modes import Mode
    from orq_core.testing.replies import Reply

Factory = Callable[[], object]
_NOTHING: Mapping[str, Any] = {}


@define(frozen=True)
class Options:
    """What `check_plugin` was told of a plugin."""

    changes_items: bool = False
    recovers_errors: bool = False
    max_event_us: float | None = None
    request: Mapping[str, Any] = field(default=_NOTHING)

    def ask(self, *, stream: bool, said: str = "hello") -> dict[str, Any]:
        """Make the arguments of ``create``."""
        asked = {
            "model": "fake/model",
            "messages": [{"role": "user", "content": said}],
            "temperature": 0,
        }
        return {**asked, **self.request, "stream": stream}


def client_arguments(
    mode: Mode, plugins: list[object], *replies: Reply
) -> tuple[dict[str, Any], ScriptedTransport]:
    """Make a client's arguments, and its transport."""
    transport = ScriptedTransport(*replies, is_async=mode.is_async)
    arguments = {
        "api_key": "fake-key-of-the-conformance-kit",
        "server_url": "https://router.example.com",
        "plugins": plugins,
        "discover": False,
        "transport": transport,
    }
    return arguments, transport


def play(
    scenario: Scenario, mode: Mode, factory: Factory, options: Options, *, stream: bool
) -> Seen:
    """Run it, and return what was seen."""
    plugin = factory()
    seen = Seen(mode, stream, Origin(plugin, factory))
    seen.wraps = hasattr(plugin, "orq_wrap_create")
    request = options.ask(stream=stream)
    inventory = leftovers.Inventory()
    with quiet(seen), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        opened = _go(scenario, mode, plugin, seen, request)
        del plugin
        leftovers.unfinished(seen)
        leftovers.calls_left(seen)
        gc.collect()
        seen.left += inventory.more(seen, opened)
        leftovers.warned(seen, caught, opened)
    return seen


def _go(
    scenario: Scenario, mode: Mode, plugin: object, seen: Seen, request: dict[str, Any]
) -> str | None:
    """Make the call; when this returns, only a leak keeps anything of it."""
    gate = Gate()
    reply = scenario.answers(gate, seen.stream)
    probes = Probes(seen, scenario.fails)
    arguments, transport = client_arguments(mode, [probes, plugin], reply)
    watch = Watch(seen)

    def unhandled(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        where = seen.origin.of_error(context.get("exception")) or seen.origin.definition
        seen.left.append((str(context["message"]).partition("\n")[0], where))

    async def body() -> None:
        if mode.is_async:
            asyncio.get_running_loop().set_exception_handler(unhandled)
        heart = None
        before = copy_context()
        with watch:
            client = AsyncOrq(**arguments) if mode.is_async else Orq(**arguments)
            heart, watch.armed = Heart(seen) if mode.is_async else None, True
            with Patience(client, seen):
                await _acted(scenario, Act(mode, client, seen, request, gate))
                await _closed(mode, client, seen)
        for name in changed(before):
            what = f"the context variable {name!r} stays set after the call"
            seen.attached.append((what, seen.asked or seen.origin.definition))
        if heart is not None:
            heart.stop()
            await leftovers.tasks_left(seen)

    mode.run(body)
    leftovers.answers_left(seen, transport)
    return watch.opened


# Functions of their own, because a profiler makes a frame remember what its variables were.


async def _acted(scenario: Scenario, act: Act) -> None:
    try:
        await scenario.act(act)
    except (Exception, asyncio.CancelledError, Interrupted) as error:  # noqa: BLE001 - kept in the scene, where each rule judges it afterwards
        act.seen.failed(error)
        if isinstance(error, Interrupted):
            # The script refers to it, and it to the script.
            error.__traceback__ = None


async def _closed(mode: Mode, client: Any, seen: Seen) -> None:
    try:
        await mode.close(client)
    except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 - kept in the scene: closing the plugin is judged like any other step
        seen.closing_failed = type(error).__name__
        seen.closing_where = seen.origin.of_error(error)


@contextmanager
def hushed() -> Generator[None, None, None]:
    """Let nothing out of what is no scenario: leaks are told by those that are."""

    def unraisable(_: Any) -> None:
        return

    hook = sys.unraisablehook
    sys.unraisablehook = unraisable
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
            gc.collect()
    finally:
        sys.unraisablehook = hook


@contextmanager
def quiet(seen: Seen) -> Generator[None, None, None]:
    """Turn the cycle collector off, and take what can't be raised."""
    enabled, hook = gc.isenabled(), sys.unraisablehook

    def unraisable(problem: Any) -> None:
        where = seen.origin.of_error(problem.exc_value) or seen.origin.definition
        seen.left.append((f"{problem.exc_type.__name__} in the garbage collector", where))

    gc.collect()
    gc.disable()
    sys.unraisablehook = unraisable
    try:
        yield
    finally:
        sys.unraisablehook = hook
        if enabled:
            gc.enable()
