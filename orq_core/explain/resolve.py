"""The layers of a call, and which plugin put each of them there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attrs import define

from orq_core._hook_calls import call_hook

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import pluggy


@define(eq=False)
class Placed:
    """A layer, and the plugin that put it there."""

    layer: Any
    plugin: str


def placed_layers(
    implementations: Iterable[pluggy.HookImpl], arguments: Mapping[str, Any]
) -> list[Placed]:
    """Call ``orq_wrap_create`` and return its layers, outermost first, with their plugins."""
    placed: list[Placed] = []

    def seen(plugin: str, layers: list[Any]) -> None:
        before, placed[:] = list(placed), []
        for layer in layers:
            # Two plugins may return one function.
            known = next((each for each in before if each.layer is layer), None)
            if known is None:
                placed.append(Placed(layer, plugin))
            else:
                before.remove(known)
                placed.append(known)

    call_hook(implementations, arguments, seen)
    return placed
