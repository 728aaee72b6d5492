"""What tokens cost."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from attrs import define

from orq_core import ConfigurationError
from orq_plugins._metering import checked_number

if TYPE_CHECKING:
    from orq_plugins._metering import Tokens

NANO = 10**9  # costs are added up in billionths, as whole numbers, so that no rounding adds up
_MILLION = 1_000_000

Prices = Mapping[str, "Price | tuple[float, ...]"]
"""Prices by model; ``*`` and ``?`` in a name stand for any characters, and for one."""


@define(frozen=True)
class Price:
    """The price of a million tokens: of prompts, of answers, and of the prompt's cached part."""

    prompt: float
    completion: float
    cached: float | None = None

    def nano(self, tokens: Tokens) -> int:
        """Return what these tokens cost, in billionths."""
        cached = self.prompt if self.cached is None else self.cached
        cost = (
            (tokens.prompt - tokens.cached) * self.prompt
            + tokens.cached * cached
            + tokens.completion * self.completion
        )
        return round(cost * NANO / _MILLION)


class PriceList:
    """Finds a model's price: its own name first, then the patterns in their order."""

    def __init__(self, prices: Prices) -> None:
        """Check the prices; raises ConfigurationError."""
        self._prices = {model: _checked(model, price) for model, price in prices.items()}

    def of(self, model: str) -> Price | None:
        """Return a model's price, None when it has none."""
        exact = self._prices.get(model)
        if exact is not None:
            return exact
        matching = (price for name, price in self._prices.items() if fnmatchcase(model, name))
        return next(matching, None)


def _checked(model: str, given: Price | tuple[float, ...]) -> Price:
    parts = (given.prompt, given.completion) if isinstance(given, Price) else tuple(given)
    if isinstance(given, Price) and given.cached is not None:
        parts = (*parts, given.cached)
    if len(parts) not in {2, 3}:
        raise ConfigurationError(
            f"prices: {model}: expected (prompt, completion) or (prompt, completion, cached)"
        )
    return Price(*[checked_number(f"prices: {model}", part) for part in parts])
