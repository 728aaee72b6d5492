"""Keeps calls below limits of requests, tokens and concurrency: `RateLimit`."""

from orq_plugins.rate_limit.errors import RateLimitWaitError
from orq_plugins.rate_limit.plugin import RateLimit
from orq_plugins.rate_limit.redis import RedisLimits
from orq_plugins.rate_limit.stores import LimitStore, MemoryLimits, Rates, Verdict, Want

__all__ = [
    "LimitStore",
    "MemoryLimits",
    "RateLimit",
    "RateLimitWaitError",
    "Rates",
    "RedisLimits",
    "Verdict",
    "Want",
]
