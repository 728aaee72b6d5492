"""Answers repeated requests from a store, and asks once for all who ask the same."""

from orq_plugins.caching.lookup import CacheMissError
from orq_plugins.caching.plugin import Caching
from orq_plugins.caching.policy import CacheOptions, Freshness
from orq_plugins.caching.stores import MemoryStore, RedisStore, Sealed, SQLiteStore, Store

__all__ = [
    "CacheMissError",
    "CacheOptions",
    "Caching",
    "Freshness",
    "MemoryStore",
    "RedisStore",
    "SQLiteStore",
    "Sealed",
    "Store",
]
