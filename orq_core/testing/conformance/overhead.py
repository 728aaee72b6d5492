"""What a plugin adds to the cost of an event."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

from orq_core import hookimpl
from orq_core.layers import observe
from orq_core.testing.conformance import rules, scripts
from orq_core.testing.conformance.judge import Bench
from orq_core.testing.conformance.origin import Origin
from orq_core.testing.conformance.patience import Patience
from orq_core.testing.conformance.scene import client_arguments

if TYPE_CHECKING:
    from orq_core.testing.conformance.report import Verdict
    from orq_core.testing.conformance.scene import Factory, Options
    from orq_core.testing.modes import Mode

_EVENTS = 400
_ROUNDS = 5


class _Layer:
    """Stands in both measurements: with no layer at all events go another way."""

    name = "conformance"

    @hookimpl
    def orq_wrap_create(self, call: Any) -> Any:
        """Look on."""
        del call
        return observe()


def event_us(mode: Mode, factory: Factory, options: Options) -> float:
    """Return the microseconds of CPU that a plugin adds to an event; the best of some rounds."""
    words = tuple(f" w{number}" for number in range(_EVENTS))
    reply = scripts.good(streamed=True, words=words)
    request = options.ask(stream=True)

    def seconds(plugins: list[object]) -> float:
        arguments, _ = client_arguments(mode, [_Layer(), *plugins], reply)

        async def body() -> float:
            async with mode.client(**arguments) as client:
                # A plugin may read ahead, or work in other threads.
                began = time.process_time()
                with Patience(client):
                    await mode.completion(await mode.create(client, **request))
                return time.process_time() - began

        return mode.run(body)

    without: list[float] = []
    with_it: list[float] = []
    for _ in range(_ROUNDS):
        without.append(seconds([]))
        with_it.append(seconds([factory()]))
    return max(0.0, (min(with_it) - min(without)) / _EVENTS * 1e6)


def overhead(mode: Mode, factory: Factory, options: Options) -> tuple[list[Verdict], float | None]:
    """Measure, and judge by the limit if there is one; None for a plugin that does not work."""
    try:
        figure = event_us(mode, factory, options)
    except (Exception, asyncio.CancelledError):  # noqa: BLE001 - only the time is wanted here; the scenarios have told of what the plugin raises
        return [], None
    bench = Bench("overhead", f"{mode.name}-stream", Origin(factory(), factory).definition)
    limit = options.max_event_us
    problem = None
    if limit is not None and figure > limit:
        problem = f"an event costs {figure:.1f} us more, and {limit:g} us were allowed"
    bench.say(rules.OVERHEAD, problem)
    return bench.verdicts, figure
