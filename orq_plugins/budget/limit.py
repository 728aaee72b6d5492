"""One budget: how much, for how long, and when to warn."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any, Literal

from attrs import Attribute, define, field

from orq_core import ConfigurationError
from orq_plugins._metering import checked_number, checked_whole

Period = Literal["total", "hour", "day", "month"]

_PERIODS = ("total", "hour", "day", "month")
_STAMPS = {"hour": "%Y-%m-%dT%H", "day": "%Y-%m-%d", "month": "%Y-%m"}
_MOST = 9_000_000  # of a currency: what a server's scripts can add up to a billionth


def _tokens(instance: object, attribute: Attribute[Any], value: object) -> None:
    del instance
    checked_whole(f"BudgetLimit: {attribute.name}", value)


def _cost(instance: object, attribute: Attribute[Any], value: object) -> None:
    del instance
    name = f"BudgetLimit: {attribute.name}"
    if value is not None and checked_number(name, value, positive=True) > _MOST:
        raise ConfigurationError(f"{name}: expected at most {_MOST:,}")


def _period(instance: object, attribute: Attribute[Any], value: object) -> None:
    del instance
    if value not in _PERIODS:
        raise ConfigurationError(
            f"BudgetLimit: {attribute.name}: expected one of {', '.join(_PERIODS)}"
        )


def _share(instance: object, attribute: Attribute[Any], value: object) -> None:
    del instance
    name = f"BudgetLimit: {attribute.name}"
    if value is not None and checked_number(name, value, positive=True) > 1:
        raise ConfigurationError(f"{name}: expected a share up to 1, or None")


@define(frozen=True, kw_only=True)
class BudgetLimit:
    """So much in each period, of tokens, of money, or of both.

    ``cost`` is in the currency of the prices. Periods are those of the calendar, in UTC; "total"
    never begins anew. ``soft``: the share from which calls carry a warning, None for none.

    Raises ConfigurationError for a value that can't be used.
    """

    tokens: int | None = field(default=None, validator=_tokens)
    cost: float | None = field(default=None, validator=_cost)
    period: Period = field(default="total", validator=_period)
    soft: float | None = field(default=0.8, validator=_share)

    def __attrs_post_init__(self) -> None:
        """Refuse a limit of nothing."""
        if self.tokens is None and self.cost is None:
            raise ConfigurationError("BudgetLimit: expected tokens=, cost= or both")

    def stamp(self, now: float) -> str:
        """Name the period in which a moment lies; ``now`` is seconds since 1970."""
        if self.period == "total":
            return "total"
        return datetime.fromtimestamp(now, timezone.utc).strftime(_STAMPS[self.period])

    def left(self, now: float) -> float | None:
        """Return the seconds until the next period begins, None for a total."""
        begin = datetime.fromtimestamp(now, timezone.utc).replace(minute=0, second=0, microsecond=0)
        if self.period == "total":
            return None
        if self.period == "hour":
            end = begin + timedelta(hours=1)
        elif self.period == "day":
            end = begin.replace(hour=0) + timedelta(days=1)
        else:
            end = (begin.replace(day=1, hour=0) + timedelta(days=32)).replace(day=1)
        return end.timestamp() - now
