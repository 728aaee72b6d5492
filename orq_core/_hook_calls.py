"""Calling a hook step by step, to see which plugin did what."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pluggy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    Seen = Callable[[str, list[Any]], object]


class HookFailedError(Exception):
    """A plugin's implementation raised; the exception is the cause."""

    def __init__(self, plugin: str) -> None:
        """Name the plugin."""
        super().__init__(plugin)
        self.plugin = plugin


def call_hook(
    implementations: Iterable[pluggy.HookImpl], arguments: Mapping[str, Any], seen: Seen
) -> list[Any]:
    """Call implementations in pluggy's order and return their results.

    ``seen`` is called after each step with the plugin's name and the results so far. Raises
    HookFailedError at the first one that raises.
    """
    results: list[Any] = []
    opened: list[tuple[pluggy.HookImpl, Any]] = []
    try:
        for each in implementations:
            value = _guarded(each, call, each, arguments)
            if each.wrapper or each.hookwrapper:
                _guarded(each, next, value)
                opened.append((each, value))
            elif value is not None:
                results.append(value)
            seen(each.plugin_name, results)
        while opened:
            each, generator = opened.pop()
            results = _guarded(each, _finished, each, generator, results)
            seen(each.plugin_name, results)
    finally:
        for _, generator in opened:
            generator.close()
    return results


def call(implementation: pluggy.HookImpl, arguments: Mapping[str, Any]) -> Any:
    """Call one implementation with the arguments that it takes."""
    return implementation.function(*[arguments[name] for name in implementation.argnames])


def _guarded(implementation: pluggy.HookImpl, function: Callable[..., Any], *args: Any) -> Any:
    try:
        return function(*args)
    except Exception as error:
        raise HookFailedError(implementation.plugin_name) from error


def _finished(implementation: pluggy.HookImpl, generator: Any, results: list[Any]) -> Any:
    outcome = pluggy.Result(results, None) if implementation.hookwrapper else results
    try:
        generator.send(outcome)
    except StopIteration as stop:
        if isinstance(outcome, pluggy.Result):
            return outcome.get_result()
        return stop.value
    finally:
        generator.close()
    raise RuntimeError("the hook's wrapper has a second yield")
