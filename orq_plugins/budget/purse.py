"""What calls reserve and settle, and what is said when it runs low."""

from __future__ import annotations

import logging
from collections import OrderedDict
from typing import TYPE_CHECKING

from attrs import define

from orq_plugins._lock import Lock
from orq_plugins._metering import digest
from orq_plugins.budget.errors import BudgetExceededError
from orq_plugins.budget.prices import NANO
from orq_plugins.budget.stores import Account, Spent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from orq_core import Call
    from orq_plugins._metering import Guard
    from orq_plugins.budget.errors import Unit
    from orq_plugins.budget.limit import BudgetLimit, Period
    from orq_plugins.budget.stores import BudgetStore

_AFTER = 3600.0  # seconds that an account outlives its period, for calls that end late
_WARNED = 4096  # warnings remembered

_log = logging.getLogger("orq")


@define(frozen=True)
class BudgetWarning:
    """A budget that has passed its soft limit: ``spent`` of ``limit``, in ``unit``."""

    scope: str
    unit: Unit
    limit: float
    spent: float
    period: Period

    def __str__(self) -> str:
        share = 100 * self.spent / self.limit
        of = "in total" if self.period == "total" else f"of this {self.period}"
        return f"budget of {self.scope!r}: {share:.0f} % of the {self.unit} {of} are spent"


@define(frozen=True)
class Reserved:
    """What a call has reserved, in which accounts."""

    scope: str
    limits: Sequence[BudgetLimit]
    accounts: Sequence[Account]
    expected: Spent


class Purse:
    """Reserves and settles through a guarded store; safe for threads and tasks."""

    def __init__(
        self,
        plugin: str,
        store: BudgetStore,
        guard: Guard,
        clock: Callable[[], float],
        on_soft: Callable[[BudgetWarning], object] | None,
    ) -> None:
        """Begin with no warning given."""
        self._plugin = plugin
        self._store = store
        self._guard = guard
        self._clock = clock
        self._on_soft = on_soft
        self._lock = Lock()
        self._warned: OrderedDict[tuple[str, str, str], None] = OrderedDict()

    async def reserve(
        self, call: Call, scope: str, limits: Sequence[BudgetLimit], expected: Spent
    ) -> Reserved | None:
        """Reserve in all budgets of a scope; None when there is none, or the store failed.

        Raises BudgetExceededError. Whatever it raises, nothing stays reserved.
        """
        if not limits:
            return None
        now = self._clock()
        accounts = [_account(scope, limit, now) for limit in limits]
        reserved = Reserved(scope, limits, accounts, expected)

        async def undo(answer: tuple[bool, Sequence[Spent]]) -> None:
            if answer[0]:
                less = Spent(-expected.tokens, -expected.nano)
                await self._guard.tell(call.runtime, self._store.settle, accounts, less)

        asked = await self._guard.ask(
            call.runtime, self._store.reserve, accounts, expected, late=undo
        )
        if asked is None:
            return None
        fits, before = asked
        try:
            self._warn(call, reserved, before)
        except BaseException:
            # Ctrl-C, in the user's function.
            await undo(asked)
            raise
        if not fits:
            raise _exceeded(call, reserved, before, now)
        return reserved

    async def look(
        self, call: Call, scope: str, limits: Sequence[BudgetLimit], expected: Spent
    ) -> list[tuple[BudgetLimit, Spent | None]]:
        """Return what is spent of each budget, and spend nothing; None if the store failed.

        Raises BudgetExceededError if ``expected`` does not fit.
        """
        if not limits:
            return []
        now = self._clock()
        accounts = [_account(scope, limit, now) for limit in limits]
        # To add nothing is to ask.
        spent = await self._guard.ask(call.runtime, self._store.settle, accounts, Spent())
        if spent is None:
            return [(limit, None) for limit in limits]
        pairs = zip(spent, accounts, strict=True)
        if not all(each.fits(account, expected) for each, account in pairs):
            raise _exceeded(call, Reserved(scope, limits, accounts, expected), spent, now)
        return list(zip(limits, spent, strict=True))

    async def settle(self, call: Call, reserved: Reserved, spent: Spent) -> None:
        """Replace what was expected by what was spent."""
        expected = reserved.expected
        more = Spent(spent.tokens - expected.tokens, spent.nano - expected.nano)
        now = await self._guard.tell(call.runtime, self._store.settle, reserved.accounts, more)
        if now is not None:
            self._warn(call, reserved, now)

    def _warn(self, call: Call, reserved: Reserved, spent: Sequence[Spent]) -> None:
        warnings = list(_passed(reserved, spent))
        if not warnings:
            return
        call.note(self._plugin, warnings=tuple(str(each) for _, each in warnings))
        for stamp, warning in warnings:
            if not self._is_new((warning.scope, stamp, warning.unit)):
                continue
            _log.warning("%s", warning)
            if self._on_soft is not None:
                try:
                    self._on_soft(warning)
                except Exception:  # noqa: BLE001 - the user's function is told of a warning; what it raises is logged and must not end the call
                    _log.exception("budget: on_soft failed; the call goes on")

    def _is_new(self, key: tuple[str, str, str]) -> bool:
        with self._lock:
            if key in self._warned:
                return False
            self._warned[key] = None
            if len(self._warned) > _WARNED:
                self._warned.popitem(last=False)
            return True


def _exceeded(
    call: Call, reserved: Reserved, before: Sequence[Spent], now: float
) -> BudgetExceededError:
    what = "this repeat was not sent" if call.info.attempts else "nothing was sent"
    expected = reserved.expected
    all_of_them = tuple(zip(reserved.limits, reserved.accounts, before, strict=True))
    limit, _, spent = next(
        (each for each in all_of_them if not each[2].fits(each[1], expected)), all_of_them[0]
    )
    if limit.tokens is not None and spent.tokens + expected.tokens > limit.tokens:
        unit: Unit = "tokens"
        most, has, more = float(limit.tokens), float(spent.tokens), float(expected.tokens)
    else:
        unit = "cost"
        most, has, more = limit.cost or 0.0, spent.nano / NANO, expected.nano / NANO
    return BudgetExceededError(
        f"the budget of scope {reserved.scope!r} has {max(0.0, most - has):g} of {most:g} left "
        f"({unit}, {limit.period}), and this call may take {more:g}; {what}",
        scope=reserved.scope,
        unit=unit,
        limit=most,
        spent=has,
        expected=more,
        period=limit.period,
        retry_after=limit.left(now),
        attempts=call.info.attempts,
    )


def _account(scope: str, limit: BudgetLimit, now: float) -> Account:
    nano = None if limit.cost is None else round(limit.cost * NANO)
    left = limit.left(now)
    ttl = None if left is None else left + _AFTER
    return Account(digest(scope), limit.stamp(now), limit.tokens, nano, ttl)


def _passed(reserved: Reserved, spent: Sequence[Spent]) -> Iterator[tuple[str, BudgetWarning]]:
    """Yield the soft limits that are passed, with the period's name."""
    for limit, account, each in zip(reserved.limits, reserved.accounts, spent, strict=True):
        if limit.soft is None:
            continue
        for unit, most, has in _units(limit, each):
            if most is not None and has >= limit.soft * most:
                warning = BudgetWarning(reserved.scope, unit, most, has, limit.period)
                yield account.name, warning


def _units(limit: BudgetLimit, spent: Spent) -> Iterator[tuple[Unit, float | None, float]]:
    yield "tokens", limit.tokens, spent.tokens
    yield "cost", limit.cost, spent.nano / NANO
