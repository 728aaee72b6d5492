"""Where it is kept what was spent: the protocol, and this process's memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from attrs import define

from orq_plugins._lock import Lock

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orq_core import Runtime

_ACCOUNTS = 4096  # accounts remembered before those whose period is over are looked for


@define(frozen=True)
class Account:
    """What one scope spends in one period. ``tokens`` and ``nano`` are limits, None is none.

    ``scope`` and ``name`` name it in a store; ``ttl``: seconds for which it is kept, None for ever.
    """

    scope: str
    name: str
    tokens: int | None
    nano: int | None
    ttl: float | None


@define(frozen=True)
class Spent:
    """Tokens, and billionths of the currency."""

    tokens: int = 0
    nano: int = 0

    def fits(self, account: Account, more: Spent) -> bool:
        """Tell whether ``more`` can be added within an account's limits."""
        if account.tokens is not None and self.tokens + more.tokens > account.tokens:
            return False
        return account.nano is None or self.nano + more.nano <= account.nano


class BudgetStore(Protocol):
    """Adds up; every method is a coroutine that gets the call's runtime.

    All accounts of a call belong to one scope. Only a shared store may suspend.
    """

    @property
    def is_shared(self) -> bool:
        """Whether other processes spend too, and whether it does I/O."""
        ...

    async def reserve(
        self, runtime: Runtime, accounts: Sequence[Account], expected: Spent
    ) -> tuple[bool, Sequence[Spent]]:
        """Add ``expected`` to all accounts, or to none; tell which, and what was spent before.

        When it raises, nothing stays reserved, from when the store answers again at the latest.
        """
        ...

    async def settle(
        self, runtime: Runtime, accounts: Sequence[Account], more: Spent
    ) -> Sequence[Spent]:
        """Add to accounts that still exist, less than nothing too; return what is spent now."""
        ...

    async def close(self, runtime: Runtime) -> None:
        """Release what is open; it may be asked again."""
        ...


@define
class _Kept:
    spent: Spent
    until: float | None


class MemoryBudgets:
    """Adds up in this process, for its threads and tasks; ends with it."""

    is_shared = False

    def __init__(self) -> None:
        """Begin with nothing spent."""
        self._lock = Lock()
        self._kept: dict[tuple[str, str], _Kept] = {}

    async def reserve(
        self, runtime: Runtime, accounts: Sequence[Account], expected: Spent
    ) -> tuple[bool, Sequence[Spent]]:
        """See `BudgetStore`."""
        now = runtime.now()
        with self._lock:
            kept = [self._of(account, now) for account in accounts]
            before = [each.spent for each in kept]
            fits = all(
                spent.fits(account, expected)
                for spent, account in zip(before, accounts, strict=True)
            )
            if fits:
                for each in kept:
                    each.spent = _sum(each.spent, expected)
            return fits, before

    async def settle(
        self, runtime: Runtime, accounts: Sequence[Account], more: Spent
    ) -> Sequence[Spent]:
        """See `BudgetStore`."""
        del runtime
        with self._lock:
            spent: list[Spent] = []
            for account in accounts:
                kept = self._kept.get((account.scope, account.name))
                if kept is not None:
                    kept.spent = _sum(kept.spent, more)
                spent.append(Spent() if kept is None else kept.spent)
            return spent

    async def close(self, runtime: Runtime) -> None:
        """Do nothing: other clients may share the budget."""

    def _of(self, account: Account, now: float) -> _Kept:
        name = (account.scope, account.name)
        kept = self._kept.get(name)
        if kept is None:
            if len(self._kept) >= _ACCOUNTS:
                for key, each in tuple(self._kept.items()):
                    if each.until is not None and each.until <= now:
                        del self._kept[key]
            until = None if account.ttl is None else now + account.ttl
            kept = self._kept[name] = _Kept(Spent(), until)
        return kept


def _sum(one: Spent, other: Spent) -> Spent:
    return Spent(max(0, one.tokens + other.tokens), max(0, one.nano + other.nano))
