"""What came of it: verdicts, the report, and the error that carries it."""

from __future__ import annotations

from attrs import define, field

from orq_core.testing.conformance.rules import RULES


@define(frozen=True)
class Verdict:
    """Whether one rule was kept in one scenario.

    ``mode`` is ``sync`` or ``async``, with ``json`` or ``stream``. ``where`` is ``file.py:line``
    of the plugin, ``docs`` the heading that explains the rule.
    """

    rule: str
    scenario: str
    mode: str
    passed: bool
    message: str
    where: str
    docs: str

    def __str__(self) -> str:
        """Say it in three lines."""
        mark = "kept" if self.passed else "broken"
        return (
            f"{self.where}: {self.rule} {mark} in {self.scenario} ({self.mode})\n"
            f"    {self.message}\n"
            f"    see {self.docs}"
        )


@define(frozen=True)
class Report:
    """All verdicts on one plugin; ``str`` makes a table of them.

    ``event_us``: microseconds of CPU that the plugin adds to an event of a stream, by mode.
    """

    plugin: str
    verdicts: tuple[Verdict, ...]
    event_us: dict[str, float] = field(factory=dict[str, float])
    seconds: float = 0.0

    @property
    def failures(self) -> tuple[Verdict, ...]:
        """Those of rules that were broken."""
        return tuple(verdict for verdict in self.verdicts if not verdict.passed)

    @property
    def passed(self) -> bool:
        """Whether every rule was kept everywhere."""
        return not self.failures

    def __str__(self) -> str:
        """Show one line for each rule, then what failed."""
        lines = [f"{self.plugin}: {'passed' if self.passed else 'FAILED'} in {self.seconds:.1f} s"]
        for rule in RULES:
            found = [verdict for verdict in self.verdicts if verdict.rule == rule.name]
            if found:
                kept = sum(verdict.passed for verdict in found)
                mark = "ok" if kept == len(found) else "FAILED"
                count = f"{kept}/{len(found)}"
                lines.append(f"  {mark:<6} {rule.name:<14} {count:>7}  {rule.asks}")
        for mode, microseconds in self.event_us.items():
            lines.append(f"  one event costs {microseconds:.2f} us more ({mode})")
        alike: dict[tuple[str, str, str], list[Verdict]] = {}
        for verdict in self.failures:
            alike.setdefault((verdict.rule, verdict.where, verdict.message), []).append(verdict)
        for first, *others in alike.values():
            lines += ["", str(first)]
            if others:
                lines.append(f"    and in {_listed(others)}")
        return "\n".join(lines)


def _listed(verdicts: list[Verdict]) -> str:
    named = ", ".join(f"{each.scenario} ({each.mode})" for each in verdicts[:_SHOWN])
    more = len(verdicts) - _SHOWN
    return f"{named} and {more} more" if more > 0 else named


_SHOWN = 4


class PluginCheckError(AssertionError):
    """A plugin broke a rule; ``report`` has all verdicts, the text those that failed."""

    def __init__(self, report: Report) -> None:
        """Tell what the report says."""
        super().__init__(str(report))
        self.report = report
