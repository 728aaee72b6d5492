"""What one scenario let be seen: items, endings, errors, and what was left behind."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attrs import define, field

from orq_core.errors import OrqError

if TYPE_CHECKING:
    import weakref

    from orq_core.call import Call
    from orq_core.testing.conformance.origin import Origin
    from orq_core.testing.modes import Mode


@define
class Passed:
    """An item at one side of the plugin; ``where`` is the plugin's line that handled it."""

    item: Any
    where: str | None = None


@define
class Seen:
    """Facts of one run; nothing in it refers to the call or to an exception."""

    mode: Mode
    stream: bool
    origin: Origin
    inside: list[Passed] = field(factory=list["Passed"])
    outside: list[Passed] = field(factory=list["Passed"])
    inner_endings: list[str] = field(factory=list[str])
    outer_endings: list[str] = field(factory=list[str])
    inner_error: type[BaseException] | None = None
    asked: str | None = None
    asked_late: str | None = None
    read_late: bool = False
    leaving: bool = False
    layers: int = 0
    wraps: bool = False
    elsewhere: bool = False
    raised: str | None = None
    chain: tuple[type[BaseException], ...] = ()
    raised_where: str | None = None
    raised_text: str = ""
    suspended: str | None = None
    stuck: str | None = None
    closing_failed: str | None = None
    closing_where: str | None = None
    unfinished: list[str] = field(factory=list[str])
    left: list[tuple[str, str]] = field(factory=list["tuple[str, str]"])
    blocked: list[tuple[str, str]] = field(factory=list["tuple[str, str]"])
    stalled: list[tuple[str, str]] = field(factory=list["tuple[str, str]"])
    kept: list[tuple[str, str]] = field(factory=list["tuple[str, str]"])
    attached: list[tuple[str, str]] = field(factory=list["tuple[str, str]"])
    reasons: list[Any] = field(factory=list[Any])
    notes: dict[str, Any] = field(factory=dict[str, Any])
    calls: list[weakref.ref[Call]] = field(factory=list["weakref.ref[Call]"])
    generators: list[Any] = field(factory=list[Any])

    @property
    def stays_out(self) -> bool:
        """Whether the plugin was asked for a layer and gave none."""
        return self.wraps and not self.layers and self.raised is None

    @property
    def name(self) -> str:
        """How verdicts call the mode."""
        return f"{self.mode.name}-{'stream' if self.stream else 'json'}"

    def failed(self, error: BaseException) -> None:
        """Note an exception that reached the caller."""
        chain: list[type[BaseException]] = []
        each: BaseException | None = error
        while each is not None and len(chain) < _LONGEST:
            chain.append(type(each))
            each = each.__cause__ or (None if each.__suppress_context__ else each.__context__)
        self.chain = tuple(chain)
        self.raised = type(error).__name__
        told = isinstance(error, (OrqError, RuntimeError))
        self.raised_text = str(error) if told else ""
        self.raised_where = self.origin.of_error(error)


_LONGEST = 32
