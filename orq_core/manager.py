"""Which plugins a client has, and in which order their layers stand."""

from __future__ import annotations

import inspect
import os
import sys
from collections.abc import Iterable
from functools import lru_cache
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any

import pluggy

from orq_core.errors import ConfigurationError, PluginError
from orq_core.hookspecs import PROJECT, Hooks

if TYPE_CHECKING:
    from collections.abc import Mapping
    from importlib.metadata import EntryPoint, EntryPoints

VARIABLE = "ORQ_PLUGINS"


def plugin_manager(
    plugins: Iterable[object] = (), *, discover: bool = True
) -> pluggy.PluginManager:
    """Make a client's own plugin manager.

    Plugins that are given stand outside those found by entry point (group ``orq``), in the order
    given; found ones are sorted by name and chosen by ``ORQ_PLUGINS``. A given plugin replaces a
    found one of the same name.

    Raises PluginError, with the plugin's name, for one that can't be loaded or has a hook that
    does not fit, ConfigurationError for a name in ``ORQ_PLUGINS`` that is not installed.
    """
    manager = pluggy.PluginManager(PROJECT)
    manager.add_hookspecs(Hooks)
    given = _named(plugins)
    chosen = [point for point in (found() if discover else ()) if point.name not in given]
    stack = {**given, **{point.name: load(point) for point in chosen}}
    # Pluggy calls the last one registered first, and the first one called is the outermost layer.
    for name in reversed(stack):
        register(manager, stack[name], name)
    return manager


def found(environ: Mapping[str, str] = os.environ) -> list[EntryPoint]:
    """Return the entry points that ``ORQ_PLUGINS`` lets through, in their order."""
    installed = {point.name: point for point in all_installed()}
    wish = environ.get(VARIABLE)
    if wish is None:
        return [installed[name] for name in sorted(installed)]
    blocked = {name[3:] for name in _parts(environ) if name.startswith("no:")}
    wanted = named_in(environ)
    if wanted or not blocked:
        missing = [name for name in wanted if name not in installed]
        if missing:
            raise ConfigurationError(
                f"{VARIABLE} names plugins that are not installed: {', '.join(missing)}; "
                f"installed are: {', '.join(sorted(installed)) or 'none'}",
            )
        return [installed[name] for name in wanted if name not in blocked]
    return [installed[name] for name in sorted(installed) if name not in blocked]


def all_installed() -> list[EntryPoint]:
    """Return every entry point of the group; of two with one name the last is used."""
    return list(_installed(tuple((path, _changed(path)) for path in sys.path)))


@lru_cache(maxsize=1)
def _installed(_: tuple[tuple[str, int | None], ...]) -> EntryPoints:
    """Read the metadata of all distributions: again once something was installed or removed."""
    return entry_points(group=PROJECT)


def _changed(path: str) -> int | None:
    try:
        return os.stat(path or ".").st_mtime_ns  # noqa: PTH116 - done for each entry of sys.path when a client is made; a Path for each takes three times as long
    except OSError:
        return None


def named_in(environ: Mapping[str, str] = os.environ) -> list[str]:
    """Return the plugins that ``ORQ_PLUGINS`` asks for by name."""
    return [name for name in _parts(environ) if not name.startswith("no:")]


def _parts(environ: Mapping[str, str]) -> list[str]:
    return [name for name in map(str.strip, environ.get(VARIABLE, "").split(",")) if name]


def _named(plugins: Iterable[object]) -> dict[str, object]:
    named: dict[str, object] = {}
    seen: set[int] = set()
    if not isinstance(plugins, Iterable):  # pyright: ignore[reportUnnecessaryIsInstance] - callers without a type checker pass other things, which are named in the error
        raise ConfigurationError(
            f"plugins: expected a list of plugins, got {type(plugins).__name__}; write [plugin]",
        )
    for plugin in plugins:
        if inspect.isclass(plugin):
            raise ConfigurationError(
                f"plugins: {plugin.__name__} is a class; pass an instance: {plugin.__name__}()",
            )
        if id(plugin) in seen:
            raise ConfigurationError(
                f"plugins: {plugin_name(plugin)!r} is given twice; make another one for that",
            )
        seen.add(id(plugin))
        base = plugin_name(plugin)
        name, number = base, 1
        while name in named:
            number += 1
            name = f"{base}-{number}"
        named[name] = plugin
    return named


def plugin_name(plugin: object) -> str:
    """Return the name a plugin goes by: its ``name``, or its class's in lower case."""
    name = getattr(plugin, "name", None)
    if isinstance(name, str) and name:
        return name
    if inspect.ismodule(plugin):
        return plugin.__name__.rpartition(".")[2]
    return type(plugin).__name__.lower()


def load(point: EntryPoint) -> object:
    """Import a plugin, and make one if it is a class; raises PluginError with its name."""
    try:
        loaded: Any = point.load()
        return loaded() if inspect.isclass(loaded) else loaded
    except Exception as error:
        raise PluginError(
            f"plugin {point.name!r} ({point.value}) can't be loaded: {type(error).__name__}; "
            f"leave it out with {VARIABLE}=no:{point.name}",
            plugin=point.name,
        ) from error


def register(manager: pluggy.PluginManager, plugin: object, name: str) -> None:
    """Add a plugin to those of a manager; raises PluginError for hooks that don't fit."""
    try:
        manager.register(plugin, name)
        manager.check_pending()
    except pluggy.PluginValidationError as error:
        raise PluginError(f"plugin {name!r}: {error}", plugin=name) from error
    if not manager.get_hookcallers(plugin):
        raise PluginError(
            f"plugin {name!r} implements no hook; mark its methods with @orq_core.hookimpl",
            plugin=name,
        )
