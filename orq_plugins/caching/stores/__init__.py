"""Where answers are kept: bytes by key, behind one small protocol."""

from orq_plugins.caching.stores.memory import MemoryStore
from orq_plugins.caching.stores.protocol import Store
from orq_plugins.caching.stores.redis import RedisStore
from orq_plugins.caching.stores.sealed import Sealed
from orq_plugins.caching.stores.sqlite import SQLiteStore

__all__ = ["MemoryStore", "RedisStore", "SQLiteStore", "Sealed", "Store"]
