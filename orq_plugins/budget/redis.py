"""Budgets that a fleet shares through Redis or Valkey."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from orq_plugins._metering import checked_number
from orq_plugins._redis import RedisConnections, milliseconds
from orq_plugins.budget.stores import Spent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orq_core import Runtime
    from orq_plugins.budget.stores import Account

_UNDONE = 60.0  # seconds within which a caller who got no answer may undo what it reserved

# KEYS: a hash for each account, and one for what is reserved here. ARGV: tokens and billionths
# expected, then for each account its limits of both (-1: any) and its time to live in milliseconds
# (-1: for ever), then that of the last key.
_RESERVE = """
local tokens, nano, fits, spent = tonumber(ARGV[1]), tonumber(ARGV[2]), 1, {}
for at = 1, #KEYS - 1 do
    local kept = redis.call('HMGET', KEYS[at], 't', 'n')
    local t, n = tonumber(kept[1] or 0), tonumber(kept[2] or 0)
    local most_t, most_n = tonumber(ARGV[3 * at]), tonumber(ARGV[3 * at + 1])
    if most_t >= 0 and t + tokens > most_t then fits = 0 end
    if most_n >= 0 and n + nano > most_n then fits = 0 end
    spent[#spent + 1] = {kept[1] or '0', kept[2] or '0'}
end
if fits == 1 then
    for at = 1, #KEYS - 1 do
        local key = KEYS[at]
        redis.call('HINCRBY', key, 't', ARGV[1])
        redis.call('HINCRBY', key, 'n', ARGV[2])
        local ttl = tonumber(ARGV[3 * at + 2])
        if ttl >= 0 and redis.call('PTTL', key) < 0 then redis.call('PEXPIRE', key, ttl) end
    end
    redis.call('HSET', KEYS[#KEYS], 't', ARGV[1], 'n', ARGV[2])
    redis.call('PEXPIRE', KEYS[#KEYS], ARGV[#ARGV])
end
return {fits, spent}
"""
# KEYS as above.
_UNDO = """
local kept = redis.call('HMGET', KEYS[#KEYS], 't', 'n')
if kept[1] then
    for at = 1, #KEYS - 1 do
        for field, by in pairs({t = kept[1], n = kept[2]}) do
            local less = string.format('%.0f', 0 - tonumber(by))
            if redis.call('EXISTS', KEYS[at]) == 1 and
                redis.call('HINCRBY', KEYS[at], field, less) < 0 then
                redis.call('HSET', KEYS[at], field, 0)
            end
        end
    end
    redis.call('DEL', KEYS[#KEYS])
end
"""
# KEYS: a hash for each account. ARGV: tokens and billionths to add.
_SETTLE = """
local spent = {}
for _, key in ipairs(KEYS) do
    if redis.call('EXISTS', key) == 1 then
        if redis.call('HINCRBY', key, 't', ARGV[1]) < 0 then redis.call('HSET', key, 't', 0) end
        if redis.call('HINCRBY', key, 'n', ARGV[2]) < 0 then redis.call('HSET', key, 'n', 0) end
    end
    local kept = redis.call('HMGET', key, 't', 'n')
    spent[#spent + 1] = {kept[1] or '0', kept[2] or '0'}
end
return spent
"""


class RedisBudgets:
    """Adds up on a Redis or Valkey server, for all processes that use the same ``prefix``.

    Each step is one script. What a process that died had reserved stays spent until the period is
    over; what a server reserved without answering in time is given back by the next call. The
    server has to keep its data over a restart, or budgets begin anew.

    ``url``, ``timeout``, ``client`` and ``async_client`` as in `RedisStore`; needs the extra
    ``redis``. Raises ConfigurationError when it is missing, and for an argument that can't be used.
    """

    is_shared = True

    def __init__(
        self,
        url: str = "redis://127.0.0.1:6379/0",
        *,
        prefix: str = "orq:budget:",
        timeout: float = 0.25,
        client: Any = None,
        async_client: Any = None,
    ) -> None:
        """Check the settings; no connection is made."""
        seconds = checked_number("timeout", timeout, positive=True)
        self._prefix = prefix
        self._connections = RedisConnections(
            "RedisBudgets", url, timeout=seconds, client=client, async_client=async_client
        )

    def __repr__(self) -> str:
        return f"<RedisBudgets {self._connections.place}>"

    async def reserve(
        self, runtime: Runtime, accounts: Sequence[Account], expected: Spent
    ) -> tuple[bool, Sequence[Spent]]:
        """See `BudgetStore`."""
        args = [expected.tokens, expected.nano]
        for account in accounts:
            args += [-1 if each is None else each for each in (account.tokens, account.nano)]
            args.append(-1 if account.ttl is None else milliseconds(account.ttl))
        keys = self._keys(accounts)
        keys.append(f"{self._prefix}{{{accounts[0].scope}}}:reserved:{uuid.uuid4().hex}")
        args.append(milliseconds(_UNDONE))
        undo = ("eval", _UNDO, len(keys), *keys)
        command = ("eval", _RESERVE, len(keys), *keys, *args)
        fits, before = await self._connections.ask_or_undo(runtime, undo, *command)
        return fits == 1, _read(before)

    async def settle(
        self, runtime: Runtime, accounts: Sequence[Account], more: Spent
    ) -> Sequence[Spent]:
        """See `BudgetStore`."""
        keys = self._keys(accounts)
        args = (len(keys), *keys, more.tokens, more.nano)
        return _read(await self._connections.ask(runtime, "eval", _SETTLE, *args))

    async def close(self, runtime: Runtime) -> None:
        """See `BudgetStore`; under asyncio the connections of the running loop are closed."""
        await self._connections.close(runtime)

    def _keys(self, accounts: Sequence[Account]) -> list[str]:
        # The braces keep a scope's accounts on one node of a cluster.
        return [f"{self._prefix}{{{account.scope}}}:{account.name}" for account in accounts]


def _read(pairs: Any) -> list[Spent]:
    return [Spent(int(tokens), int(nano)) for tokens, nano in pairs]
