"""Which plugins are installed, where they come from, and which of them can't be used."""

from __future__ import annotations

import os
import traceback
from typing import TYPE_CHECKING, Any, Literal

import pluggy
from attrs import define, evolve

from orq_core.errors import ConfigurationError, PluginError
from orq_core.hookspecs import PROJECT, Hooks
from orq_core.manager import VARIABLE, all_installed, found, load, named_in, register

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from importlib.metadata import EntryPoint

State = Literal["loaded", "blocked", "shadowed", "broken", "missing"]


@define(frozen=True)
class Installed:
    """One plugin of the entry-point group ``orq``, or one that ``ORQ_PLUGINS`` asks for in vain.

    ``state``: "loaded"; "blocked" by ``ORQ_PLUGINS``; "shadowed" by another one of its name;
    "broken", or "missing", with the ``reason``. ``position`` counts the layers from the outside,
    from 1; None for what has no layer. ``hooks`` are those it implements, with ``tryfirst``,
    ``trylast`` or ``wrapper`` where they are so marked.
    """

    name: str
    state: State
    distribution: str | None = None
    version: str | None = None
    object: str | None = None
    position: int | None = None
    hooks: tuple[str, ...] = ()
    reason: str | None = None

    @property
    def is_usable(self) -> bool:
        """Whether a client can be made with it."""
        return self.state not in {"broken", "missing"}


def inventory(environ: Mapping[str, str] = os.environ) -> list[Installed]:
    """Return all plugins: those with layers from the outside in, then the others, by name."""
    points = all_installed()
    winners = {point.name: point for point in points}
    try:
        chosen = found(environ)
        missing: list[str] = []
    except ConfigurationError:
        missing = [name for name in named_in(environ) if name not in winners]
        chosen = [winners[name] for name in named_in(environ) if name in winners]
    usable: dict[str, object] = {}
    absent = f"{VARIABLE} names it, but it is not installed"
    listed = [Installed(name, "missing", reason=absent) for name in missing]
    for point in points:
        if winners[point.name] is not point:
            listed.append(_described(point, "shadowed"))
        elif point not in chosen:
            listed.append(_described(point, "blocked"))
        else:
            listed.append(_tried(point, usable))
    # As `plugin_manager` does: the last one registered is called first, and stands outermost.
    ordered = list(dict.fromkeys(point.name for point in chosen if point.name in usable))
    manager = _manager((name, usable[name]) for name in reversed(ordered))
    implementations = reversed(manager.hook.orq_wrap_create.get_hookimpls())
    outer = {each.plugin_name: at for at, each in enumerate(implementations, start=1)}
    placed = [
        evolve(each, position=outer.get(each.name)) if each.state == "loaded" else each
        for each in listed
    ]
    return sorted(placed, key=lambda each: (each.position or len(placed) + 1, each.name))


def _tried(point: EntryPoint, usable: dict[str, object]) -> Installed:
    """Load a plugin and register it by itself, so that its failure is nobody else's."""
    try:
        plugin = load(point)
        manager = _manager([(point.name, plugin)])
    except PluginError as error:
        return _described(point, "broken", reason=_reason(error))
    usable[point.name] = plugin
    callers = manager.get_hookcallers(plugin) or []
    hooks = [f"{each.name}{_marks(each.get_hookimpls()[0])}" for each in callers]
    return _described(point, "loaded", hooks=tuple(sorted(hooks)))


def _manager(plugins: Iterable[tuple[str, object]]) -> pluggy.PluginManager:
    manager = pluggy.PluginManager(PROJECT)
    manager.add_hookspecs(Hooks)
    for name, plugin in plugins:
        register(manager, plugin, name)
    return manager


def _described(point: EntryPoint, state: State, **more: Any) -> Installed:
    dist = point.dist
    return Installed(
        point.name,
        state,
        distribution=None if dist is None else dist.name,
        version=None if dist is None else dist.version,
        object=point.value,
        **more,
    )


def _marks(implementation: pluggy.HookImpl) -> str:
    options = implementation.opts
    given = {
        "tryfirst": options["tryfirst"],
        "trylast": options["trylast"],
        "wrapper": options["wrapper"] or options["hookwrapper"],
    }
    marks = [name for name, value in given.items() if value]
    return f" ({', '.join(marks)})" if marks else ""


def _reason(error: PluginError) -> str:
    """Say why, with the cause's place; of causes that may quote settings only the type is told."""
    cause = error.__cause__
    if cause is None or isinstance(cause, pluggy.PluginValidationError):
        return " ".join(str(error).split())
    told = type(cause).__name__
    if isinstance(cause, (ImportError, AttributeError, SyntaxError)):
        told += f": {' '.join(str(cause).split())}"
    frames = traceback.extract_tb(cause.__traceback__)
    ours = (__file__, load.__code__.co_filename)
    outside = [each for each in frames if each.filename not in ours and "importlib" not in each[0]]
    return f"{told} at {outside[-1].filename}:{outside[-1].lineno}" if outside else told
