"""Limits that a fleet shares through Redis or Valkey."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from orq_plugins._metering import checked_number
from orq_plugins._redis import RedisConnections, milliseconds
from orq_plugins.rate_limit.stores import Verdict

if TYPE_CHECKING:
    from collections.abc import Generator

    from orq_core import Runtime
    from orq_plugins.rate_limit.stores import Rates, Want

# The window of window.py, in a hash of slots; the clock is the server's, so that of the callers
# need not agree. KEYS: the window's hash, the places' sorted set, the pause.
# ARGV: requests, tokens and concurrency allowed (-1: any), tokens wanted, owner, lease in ms.
_TAKE = """
local time = redis.call('TIME')
local second, now = tonumber(time[1]), tonumber(time[1]) * 1000 + math.floor(time[2] / 1000)
local places, tokens = tonumber(ARGV[3]), tonumber(ARGV[4])
if places >= 0 then
    redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now)
    if redis.call('ZCARD', KEYS[2]) >= places then return {-1, -1} end
end
local wait = math.max(0, redis.call('PTTL', KEYS[3]))
local limits = {r = tonumber(ARGV[1]), t = tonumber(ARGV[2])}
local needs, used, slots, gone = {r = 1, t = tokens}, {r = 0, t = 0}, {r = {}, t = {}}, {}
local all = redis.call('HGETALL', KEYS[1])
for at = 1, #all, 2 do
    local kind, slot = string.sub(all[at], 1, 1), tonumber(string.sub(all[at], 2))
    if (slot + 61) * 1000 <= now then
        gone[#gone + 1] = all[at]
    else
        local amount = tonumber(all[at + 1])
        used[kind] = used[kind] + amount
        table.insert(slots[kind], {slot, amount})
    end
end
if #gone > 0 then redis.call('HDEL', KEYS[1], unpack(gone)) end
for kind, limit in pairs(limits) do
    local over = used[kind] + math.min(needs[kind], limit) - limit
    if limit >= 0 and over > 0 then
        table.sort(slots[kind], function(a, b) return a[1] < b[1] end)
        for _, each in ipairs(slots[kind]) do
            over = over - each[2]
            if over <= 0 then
                wait = math.max(wait, (each[1] + 61) * 1000 - now)
                break
            end
        end
        if over > 0 then wait = math.max(wait, 60000) end
    end
end
if wait > 0 then return {-1, wait} end
redis.call('HINCRBY', KEYS[1], 'r' .. second, 1)
redis.call('HINCRBY', KEYS[1], 't' .. second, ARGV[4])
redis.call('PEXPIRE', KEYS[1], 62000)
if places >= 0 then
    redis.call('ZADD', KEYS[2], now + ARGV[6], ARGV[5])
    local last = redis.call('ZREVRANGE', KEYS[2], 0, 0, 'WITHSCORES')
    redis.call('PEXPIREAT', KEYS[2], last[2])
end
return {second, 0}
"""
# KEYS as above. ARGV: owner, slot, requests and tokens to add.
_SETTLE = """
redis.call('ZREM', KEYS[2], ARGV[1])
for kind, by in pairs({r = ARGV[3], t = ARGV[4]}) do
    local name = kind .. ARGV[2]
    if by ~= '0' and redis.call('HEXISTS', KEYS[1], name) == 1 then
        redis.call('HINCRBY', KEYS[1], name, by)
    end
end
"""
# KEYS: the pause. ARGV: milliseconds. A longer one stays.
_PAUSE = """
if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[1]) then
    redis.call('SET', KEYS[1], '1', 'PX', ARGV[1])
end
"""


class RedisLimits:
    """Counts on a Redis or Valkey server, for all processes that use the same ``prefix``.

    Each step is one script, by the server's clock. Within a process callers wait in line; among
    processes the first ones of each line take turns by chance. A process that dies gives its places
    back when its calls would have been over.

    ``url``, ``timeout``, ``client`` and ``async_client`` as in `RedisStore`; needs the extra
    ``redis``. Raises ConfigurationError when it is missing, and for an argument that can't be used.
    """

    is_shared = True

    def __init__(
        self,
        url: str = "redis://127.0.0.1:6379/0",
        *,
        prefix: str = "orq:rate:",
        timeout: float = 0.25,
        client: Any = None,
        async_client: Any = None,
    ) -> None:
        """Check the settings; no connection is made."""
        seconds = checked_number("timeout", timeout, positive=True)
        self._prefix = prefix
        self._connections = RedisConnections(
            "RedisLimits", url, timeout=seconds, client=client, async_client=async_client
        )

    def __repr__(self) -> str:
        return f"<RedisLimits {self._connections.place}>"

    async def take(self, runtime: Runtime, rates: Rates, want: Want) -> Verdict:
        """See `LimitStore`."""
        allowed = [-1 if each is None else each for each in (rates.requests, rates.tokens)]
        places = -1 if rates.concurrency is None else rates.concurrency
        args = (*allowed, places, want.tokens, want.owner, milliseconds(want.lease))
        keys = self._keys(want.scope)
        undo = ("zrem", keys[1], want.owner)
        command = ("eval", _TAKE, len(keys), *keys, *args)
        slot, wait = await self._connections.ask_or_undo(runtime, undo, *command)
        if slot >= 0:
            return Verdict(slot=int(slot))
        return Verdict(wait=None if wait < 0 else wait / 1000)

    async def settle(
        self, runtime: Runtime, want: Want, slot: int, requests: int, tokens: int
    ) -> None:
        """See `LimitStore`."""
        keys = self._keys(want.scope)
        with self._freed_later(keys, want):
            await self._eval(runtime, _SETTLE, keys, want.owner, slot, requests, tokens)

    async def drop(self, runtime: Runtime, want: Want) -> None:
        """See `LimitStore`."""
        keys = self._keys(want.scope)
        with self._freed_later(keys, want):
            await self._connections.ask(runtime, "zrem", keys[1], want.owner)

    async def pause(self, runtime: Runtime, scope: str, seconds: float) -> None:
        """See `LimitStore`."""
        await self._eval(runtime, _PAUSE, self._keys(scope)[2:], milliseconds(seconds))

    async def close(self, runtime: Runtime) -> None:
        """See `LimitStore`; under asyncio the connections of the running loop are closed."""
        await self._connections.close(runtime)

    @contextmanager
    def _freed_later(self, keys: tuple[str, ...], want: Want) -> Generator[None, None, None]:
        """Free a place before the next call if it can't be done now: its lease is a long one."""
        try:
            yield
        except BaseException:
            self._connections.owe("zrem", keys[1], want.owner)
            raise

    def _keys(self, scope: str) -> tuple[str, ...]:
        # The braces keep a scope's keys on one node of a cluster.
        return tuple(f"{self._prefix}{{{scope}}}:{part}" for part in ("window", "places", "pause"))

    async def _eval(self, runtime: Runtime, script: str, keys: tuple[str, ...], *args: Any) -> Any:
        return await self._connections.ask(runtime, "eval", script, len(keys), *keys, *args)
