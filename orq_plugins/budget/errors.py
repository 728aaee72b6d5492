"""What is raised in place of a request that a budget does not allow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from orq_core import OrqError

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from orq_core.errors.base import Known
    from orq_plugins.budget.limit import Period

    Unit = Literal["tokens", "cost"]


class BudgetExceededError(OrqError):
    """A budget would be exceeded, so nothing was sent, or no repeat of what had failed.

    ``scope``: whose budget. ``unit``: "tokens" or "cost". ``limit`` and ``spent``: in that unit;
    what calls in flight are expected to take counts as spent. ``expected``: what this call would
    have added. ``period`` is the budget's, and ``retry_after`` the seconds until the next one
    begins, None for a total.
    """

    def __init__(
        self,
        message: str = "",
        *,
        scope: str = "",
        unit: Unit = "cost",
        limit: float = 0.0,
        spent: float = 0.0,
        expected: float = 0.0,
        period: Period = "total",
        retry_after: float | None = None,
        **known: Unpack[Known],
    ) -> None:
        """Say which budget."""
        super().__init__(message, **known)
        self.scope = scope
        self.unit: Unit = unit
        self.limit = limit
        self.spent = spent
        self.expected = expected
        self.period: Period = period
        self.retry_after = retry_after
