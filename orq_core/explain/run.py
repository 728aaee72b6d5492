"""Running a call's layers around a source that sends nothing."""

from __future__ import annotations

import contextlib
import copy
import functools
import inspect
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from attrs import define, field

from orq_core._hook_calls import call
from orq_core._pipeline import Exchange
from orq_core.errors import PluginError
from orq_core.explain.changes import changes
from orq_core.explain.explanation import LayerReport, State
from orq_core.models import ChatCompletionRequest, to_dict

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pluggy

    from orq_core.call import Call, Item, Items, Layer, Proceed
    from orq_core.explain.private import Private
    from orq_core.explain.resolve import Placed

REQUEST = "request"


class Enough(GeneratorExit):
    """Ends a dry run where a request would be sent; to a layer it is a caller who left."""


class DryRuntime:
    """A runtime whose pauses take no time."""

    def __init__(self, runtime: Any) -> None:
        """Stand in for one."""
        self._runtime = runtime
        self._slept = 0.0
        self.is_async: bool = runtime.is_async
        self.run = runtime.run

    def now(self) -> float:
        """Return the time, pauses included."""
        now: float = self._runtime.now()
        return now + self._slept

    async def sleep(self, seconds: float) -> None:
        """Let the time pass at once."""
        self._slept += max(0.0, seconds)


@define(eq=False)
class Stage:
    """A layer's part of a dry run: the ``body`` it was handed, what its plugin ``told``.

    ``handed`` is what a plugin that was asked hands inwards.
    """

    placed: Placed
    handed: ChatCompletionRequest | None = None
    body: dict[str, Any] | None = None
    told: Mapping[str, Any] | None = None
    facts: dict[str, Any] = field(factory=dict[str, Any])
    problem: str | None = None


class DryRun:
    """One call's layers, each behind a spy that notes what it is handed."""

    def __init__(self, call: Call, manager: pluggy.PluginManager, private: Private) -> None:
        """Find the plugins that want to be asked."""
        self._call = call
        self._private = private
        self._asked = {
            each.plugin_name: each
            for each in manager.hook.orq_explain.get_hookimpls()
            if not (each.wrapper or each.hookwrapper)
        }
        self._answers: dict[str, Mapping[str, Any] | None] = {}
        self.stages: list[Stage] = []
        self.problems: list[str] = []
        self.sent: ChatCompletionRequest | None = None
        self._sent_body: dict[str, Any] | None = None

    async def __call__(self, layers: Sequence[Placed]) -> None:
        """Run layers, outermost first, up to where the request would be sent."""
        self.stages = [Stage(each) for each in layers]
        bound: list[Layer] = []
        for stage in self.stages:
            bound += [functools.partial(self._spy, stage), _behind(stage)]
        exchange = Exchange(self._call, bound, self._source)
        items = exchange.open()
        # What a layer raised, its spy saw.
        with contextlib.suppress(Enough, StopAsyncIteration, Exception):
            await items.__anext__()
        self._blame()
        try:
            await exchange.close()
        except Exception as error:  # noqa: BLE001 - a plugin may raise anything; the report shows it as a problem
            self.problems.append(self._private.problem(error))

    async def ask(self, plugin: str, request: ChatCompletionRequest) -> Mapping[str, Any] | None:
        """Return what a plugin tells of itself, once; None for one that doesn't."""
        asked = self._asked.get(plugin)
        if asked is None:
            return None
        if plugin not in self._answers:
            told = call(asked, {"call": self._call, "request": request})
            if inspect.isawaitable(told):
                told = await told
            self._answers[plugin] = _checked(plugin, told)
        return self._answers[plugin]

    def told_by(self, plugin: str) -> Mapping[str, Any]:
        """Return what a plugin has told so far."""
        return self._answers.get(plugin) or {}

    def is_asked(self, plugin: str) -> bool:
        """Tell whether a plugin was asked, and so is not run."""
        return self._answers.get(plugin) is not None

    def answers(self) -> list[tuple[str, Mapping[str, Any]]]:
        """Return what was told, by plugin."""
        return [(plugin, told) for plugin, told in self._answers.items() if told is not None]

    def facts(self, told: Mapping[str, Any]) -> dict[str, Any]:
        """Return what may be shown of it."""
        return self._private.facts({k: v for k, v in told.items() if k != REQUEST})

    def reports(self) -> list[LayerReport]:
        """Say what each layer would do."""
        bodies = [*[each.body for each in self.stages], self._sent_body][1:]
        return [
            LayerReport(
                plugin=stage.placed.plugin,
                layer=_name(stage.placed.layer),
                state=self._state(stage, after),
                changes=() if stage.body is None or after is None else changes(stage.body, after),
                facts=stage.facts,
                problem=stage.problem,
            )
            for stage, after in zip(self.stages, bodies, strict=False)
        ]

    def _state(self, stage: Stage, after: dict[str, Any] | None) -> State:
        if stage.body is None:
            return "not reached"
        if stage.problem:
            return "failed"
        if stage.told is not None:
            return "asked"
        return "answers" if after is None else "run"

    async def _spy(self, stage: Stage, call: Call, request: Any, proceed: Proceed) -> Items:
        del call
        if stage.body is not None:
            # What asks again would ask for ever.
            raise Enough
        stage.body = self._body(request)
        try:
            first = stage.placed.plugin not in self._answers
            stage.told = await self.ask(stage.placed.plugin, request)
            stage.handed = request
            if stage.told is not None and first:
                stage.facts = self.facts(stage.told)
                stage.handed = stage.told.get(REQUEST, request)
            async for item in proceed(request):
                yield item
        except Exception as error:
            stage.problem = self._private.problem(error)
            raise

    async def _source(self, call: Call, request: Any) -> Items:
        del call
        self.sent, self._sent_body = request, self._body(request)
        nothing: tuple[Item, ...] = ()
        for never in nothing:
            yield never
        raise Enough

    def _body(self, request: Any) -> dict[str, Any]:
        # A layer may change in place what it was handed.
        body = copy.deepcopy(to_dict(request))
        self._private.learn(body)
        return body

    def _blame(self) -> None:
        """Leave a problem with the innermost layer that it came through."""
        troubled = [each for each in self.stages if each.problem]
        for each in troubled[:-1]:
            each.problem = None


def _behind(stage: Stage) -> Layer:
    """Return the layer itself, or what its plugin told in its place."""

    def layer(call: Call, request: ChatCompletionRequest, proceed: Proceed) -> Items:
        if stage.told is None or stage.handed is None:
            items: Items = stage.placed.layer(call, request, proceed)
            return items
        return proceed(stage.handed)

    layer.__qualname__ = _name(stage.placed.layer)
    return layer


def _checked(plugin: str, told: Any) -> Mapping[str, Any] | None:
    if told is None:
        return None
    if not isinstance(told, Mapping):
        raise PluginError(
            f"orq_explain of {plugin!r} returned {type(told).__name__}, not a mapping",
            plugin=plugin,
        )
    facts = cast("Mapping[str, Any]", told)
    if not isinstance(facts.get(REQUEST), (ChatCompletionRequest, type(None))):
        raise PluginError(
            f"orq_explain of {plugin!r}: request: expected a ChatCompletionRequest",
            plugin=plugin,
        )
    return {name: value for name, value in facts.items() if name != REQUEST or value is not None}


def _name(layer: Any) -> str:
    return str(getattr(layer, "__qualname__", type(layer).__name__))
