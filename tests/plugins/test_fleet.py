"""What a fleet shares through a server keeps to the rules for plugins as well."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from orq_core.testing import check_plugin
from orq_plugins import Budget, BudgetLimit, RateLimit, RedisBudgets, RedisLimits
from tests.plugins.valkey_server import ValkeyServer

KINDS: dict[str, Callable[[str], object]] = {
    "rate_limit": lambda url: RateLimit(requests_per_minute=10**6, store=RedisLimits(url)),
    "budget": lambda url: Budget(BudgetLimit(tokens=10**12), store=RedisBudgets(url)),
}


@pytest.mark.parametrize("kind", KINDS)
def test_they_pass_the_conformance_kit(kind: str, valkey: ValkeyServer) -> None:
    assert check_plugin(lambda: KINDS[kind](valkey.url)).passed
