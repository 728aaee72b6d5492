"""The kit as tests of pytest: one item for each scenario and mode."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from orq_core.testing.conformance.check import Check, frozen, plan
from orq_core.testing.conformance.named import named

if TYPE_CHECKING:
    from collections.abc import Iterator


class PluginNode(pytest.Collector):
    """A plugin named on the command line."""

    def collect(self) -> Iterator[pytest.Item]:
        """Make an item of each part of the kit."""
        try:
            factory, options = named(self.name)
        except (AttributeError, ImportError, TypeError, ValueError) as error:
            raise pytest.UsageError(f"--orq-plugin: {error}") from error
        checks = plan(factory, options)
        if any(not verdict.passed for verdict in checks[0].run()):
            checks = checks[:1]  # what can't be loaded can't be run
        for check in checks:
            yield _make(CheckItem, self, name=check.name, check=check)


class CheckItem(pytest.Item):
    """One part of the kit."""

    def __init__(self, *, check: Check, **arguments: Any) -> None:
        """Run this one."""
        super().__init__(**arguments)  # pyright: ignore[reportUnknownMemberType] - pytest does not say what its nodes take
        self._check = check

    def runtest(self) -> None:
        """Run it; raises AssertionError with the verdicts that failed."""
        with frozen():
            verdicts = self._check.run()
        failures = [str(verdict) for verdict in verdicts if not verdict.passed]
        for mode, figure in self._check.figures.items():
            self.user_properties.append((f"event_us {mode}", round(figure, 2)))
        if failures:
            raise _BrokenRuleError("\n".join(failures))

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """Show the verdicts, and not how the kit came to them."""
        if isinstance(excinfo.value, _BrokenRuleError):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Any, int | None, str]:
        """Name the plugin and the scenario."""
        name = self.parent.name if self.parent is not None else ""
        return self.path, None, f"{name} {self.name}"


class _BrokenRuleError(AssertionError):
    pass


def items(session: pytest.Session, names: list[str]) -> list[pytest.Item]:
    """Collect the kit for these plugins."""
    found: list[pytest.Item] = []
    for name in names:
        # Brackets are pytest's own in an id.
        plain = name.replace("[", "+").rstrip("]")
        found += _make(PluginNode, session, name=name, nodeid=f"orq-plugin::{plain}").collect()
    return found


def _make(kind: Any, parent: pytest.Collector, **arguments: Any) -> Any:
    """Make a node; pytest's own signature tells no types."""
    return kind.from_parent(parent, **arguments)
