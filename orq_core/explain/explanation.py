"""What a call would become, as data and as text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from attrs import asdict, define, field

from orq_core.explain.page import plain
from orq_core.explain.tables import tables_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orq_core.explain.changes import Change
    from orq_core.explain.worst import RouterPolicy, WorstCase
    from orq_core.limits import Timeout

State = Literal["asked", "run", "answers", "failed", "not reached"]
Outcome = Literal["sent", "answered", "refused"]


@define(frozen=True)
class LayerReport:
    """What one layer would do.

    ``plugin`` is its name, ``layer`` the function's. ``state``: "asked" (its plugin implements
    ``orq_explain``), "run" (up to where it hands the request inwards), "answers" (without asking
    what is within), "failed", with the ``problem``, or "not reached". ``facts`` are what
    the plugin told.
    """

    plugin: str
    layer: str
    state: State
    changes: tuple[Change, ...] = ()
    facts: Mapping[str, Any] = field(factory=dict[str, Any])
    problem: str | None = None


@define(frozen=True)
class Explanation:
    """What ``create`` would do with these arguments; nothing of it was done.

    ``outcome``: "sent"; "answered" by a layer, as a cache does; "refused" by a layer, by the client
    or for want of a key. ``layers`` stand from the outside in; ``aside`` are plugins without a
    layer in this call. ``headers`` are names, with who adds them: "client", "caller" or a plugin.
    ``key``: "given", "missing", or "not needed". ``retries``: the call's setting, "default" for the
    plugin's own. ``problems`` are what ought to be looked at. No field holds content, a key, or the
    value of a header.
    """

    url: str
    model: str | None
    stream: bool
    key: str
    outcome: Outcome
    body_bytes: int | None
    layers: tuple[LayerReport, ...]
    aside: tuple[LayerReport, ...]
    headers: Mapping[str, str]
    timeout: Timeout
    retries: Any
    router: RouterPolicy
    worst_case: WorstCase
    problems: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON data."""
        return asdict(self)

    def __str__(self) -> str:
        """Write it as text of several lines."""
        return plain(tables_of(self))
