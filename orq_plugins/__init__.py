"""Plugins for orq_core: `Logging`, `Tracing`, `Caching`, `Redaction`, `Retries`, limits.

Names are loaded when they are first used, so that a program pays for the plugins it has.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from orq_plugins.budget import (
        Budget,
        BudgetExceededError,
        BudgetLimit,
        BudgetStore,
        BudgetWarning,
        MemoryBudgets,
        Price,
        RedisBudgets,
    )
    from orq_plugins.caching import (
        CacheMissError,
        Caching,
        MemoryStore,
        RedisStore,
        Sealed,
        SQLiteStore,
        Store,
    )
    from orq_plugins.logging import Logging
    from orq_plugins.rate_limit import (
        LimitStore,
        MemoryLimits,
        RateLimit,
        RateLimitWaitError,
        RedisLimits,
    )
    from orq_plugins.redaction import (
        CallableDetector,
        ContentBlockedError,
        Detector,
        Redaction,
        Vault,
    )
    from orq_plugins.retries import Retries
    from orq_plugins.tracing import Tracing

_HOME = {
    "budget": (
        "Budget",
        "BudgetExceededError",
        "BudgetLimit",
        "BudgetStore",
        "BudgetWarning",
        "MemoryBudgets",
        "Price",
        "RedisBudgets",
    ),
    "caching": (
        "CacheMissError",
        "Caching",
        "MemoryStore",
        "RedisStore",
        "SQLiteStore",
        "Sealed",
        "Store",
    ),
    "logging": ("Logging",),
    "rate_limit": (
        "LimitStore",
        "MemoryLimits",
        "RateLimit",
        "RateLimitWaitError",
        "RedisLimits",
    ),
    "redaction": ("CallableDetector", "ContentBlockedError", "Detector", "Redaction", "Vault"),
    "retries": ("Retries",),
    "tracing": ("Tracing",),
}
_MODULE_OF = {name: module for module, names in _HOME.items() for name in names}

__all__ = [
    "Budget",
    "BudgetExceededError",
    "BudgetLimit",
    "BudgetStore",
    "BudgetWarning",
    "CacheMissError",
    "Caching",
    "CallableDetector",
    "ContentBlockedError",
    "Detector",
    "LimitStore",
    "Logging",
    "MemoryBudgets",
    "MemoryLimits",
    "MemoryStore",
    "Price",
    "RateLimit",
    "RateLimitWaitError",
    "Redaction",
    "RedisBudgets",
    "RedisLimits",
    "RedisStore",
    "Retries",
    "SQLiteStore",
    "Sealed",
    "Store",
    "Tracing",
    "Vault",
]


def __getattr__(name: str) -> Any:
    """Load a public name's module at its first use (PEP 562)."""
    module = _MODULE_OF.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{module}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """List the public names."""
    return sorted({*globals(), *__all__})
