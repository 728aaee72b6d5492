"""An explanation as tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from orq_core._json import is_object
from orq_core.explain.page import Table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orq_core.explain.explanation import Explanation, LayerReport
    from orq_core.explain.worst import WorstCase

_OUTCOMES = {
    "sent": "would be sent",
    "answered": "would be answered without being sent",
    "refused": "would be refused",
}


def tables_of(told: Explanation) -> list[Table]:
    """Return what a reader wants to see, in his order: the call, its layers, headers, limits."""
    return [
        Table(_OUTCOMES[told.outcome], _call(told)),
        Table("Layers, outermost first", _layers(told), ("", "plugin", "layer", "what it does")),
        Table("Plugins without a layer in this call", [_aside(each) for each in told.aside]),
        Table("Headers", [(name, who) for name, who in told.headers.items()]),
        Table("Limits", _limits(told)),
        Table("At worst", _worst(told.worst_case)),
        Table(
            "To look at",
            [(f"! {problem}",) for problem in told.problems],
            bad=frozenset(range(len(told.problems))),
        ),
    ]


def _call(told: Explanation) -> list[tuple[str, ...]]:
    return [
        ("POST", told.url),
        ("model", told.model or "none"),
        ("answer", "a stream" if told.stream else "in one piece"),
        ("key", told.key),
        ("body", "none" if told.body_bytes is None else f"{told.body_bytes} bytes"),
    ]


def _layers(told: Explanation) -> list[tuple[str, ...]]:
    return [
        (str(at), each.plugin, each.layer, _does(each))
        for at, each in enumerate(told.layers, start=1)
    ]


def _aside(each: LayerReport) -> tuple[str, ...]:
    return each.plugin, _does(each) if each.state != "run" else "prepares requests, or nothing"


def _does(each: LayerReport) -> str:
    """Say it in lines: how it was found out, the changes, the facts."""
    lines = [f"! {each.problem}" if each.problem else f"({each.state})"]
    lines += [str(change) for change in each.changes]
    lines += _facts(each.facts)
    return "\n".join(lines)


def _facts(facts: Mapping[str, Any], under: str = "") -> list[str]:
    lines: list[str] = []
    for name, value in facts.items():
        if is_object(value):
            lines += _facts(value, f"{under}{name}.") or [f"{under}{name}: none"]
        else:
            lines.append(f"{under}{name}: {_written(value)}")
    return lines


def _limits(told: Explanation) -> list[tuple[str, ...]]:
    timeout, router = told.timeout, told.router
    rows: list[tuple[str, ...]] = [
        (f"timeout.{name}", _seconds(getattr(timeout, name)))
        for name in ("connect", "first_event", "idle", "total")
    ]
    rows.append(("retries", _written(told.retries)))
    if router.attempts > 1 or router.call_timeout is not None:
        rows.append(("router: retry", f"{router.retries} repeats"))
        rows.append(("router: fallbacks", f"{router.fallbacks} models"))
        rows.append(("router: timeout", f"{_seconds(router.call_timeout)} for each attempt"))
    return rows


def _worst(worst: WorstCase) -> list[tuple[str, ...]]:
    return [
        ("attempts of this client", _count(worst.attempts)),
        ("the router's, for each of them", str(worst.router_attempts)),
        ("requests to models", _count(worst.model_requests)),
        ("one attempt", _seconds(worst.attempt_seconds)),
        ("pauses between them", _seconds(worst.pauses)),
        ("until the first event", _seconds(worst.first_event_seconds)),
        ("until it is over", _seconds(worst.total_seconds)),
    ]


def _count(number: int | None) -> str:
    return "no bound" if number is None else str(number)


def _seconds(seconds: float | None) -> str:
    return "no limit" if seconds is None else f"{seconds:g} s"


def _written(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(_written, value)) or "none"  # pyright: ignore[reportUnknownArgumentType] - a list of whatever JSON may hold
    if is_object(value):
        return ", ".join(f"{name} {_written(each)}" for name, each in value.items())
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)
