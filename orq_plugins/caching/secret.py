"""The secret that keys all digests: one for all who share a store."""

from __future__ import annotations

import secrets
from contextlib import suppress
from typing import TYPE_CHECKING

from orq_plugins.caching.guard import StoreFailedError
from orq_plugins.caching.stores.protocol import SECRET

if TYPE_CHECKING:
    from orq_core import Call, Runtime
    from orq_plugins.caching.guard import GuardedStore

_BYTES = 32
_PATIENCE = (20, 0.02)  # looks for a secret that another process is making, seconds between them
_LEASE = 1.0


class Secret:
    """The secret given, else the one that the store keeps, made by the first who asks for it."""

    def __init__(self, store: GuardedStore, given: bytes | None) -> None:
        """Ask nothing yet."""
        self._store = store
        self._is_given = given is not None
        # All calls here use the same one while the store has none.
        self._own = secrets.token_bytes(_BYTES)
        self._agreed = given

    async def of(self, call: Call) -> bytes:
        """Return it; one of this cache's own while the store can't say or keep one."""
        if self._agreed is None:
            # Not remembered where the store failed: a later call asks again.
            with suppress(StoreFailedError):
                self._agreed = await self._shared(call)
        return self._own if self._agreed is None else self._agreed

    async def known(self, runtime: Runtime) -> bytes | None:
        """Return it without making one or leaving a trace; raises what the store raises."""
        if self._agreed is not None:
            return self._agreed
        return await self._store.peek(runtime, SECRET)

    async def renew(self, runtime: Runtime) -> None:
        """Have it used now, so that a full store does not forget it before the answers.

        If it is gone it is stored again; if others have agreed on another one, that one counts.
        """
        if self._is_given or self._agreed is None:
            return
        with suppress(StoreFailedError):
            kept = await self._get(runtime)
            if kept is None:
                await self._set(runtime, self._agreed)
            else:
                self._agreed = kept

    async def _shared(self, call: Call) -> bytes | None:
        """Return the secret that the store keeps; None while another process is making it."""
        looks, pause = _PATIENCE
        for _ in range(looks):
            kept = await self._get(call.runtime)
            if kept is not None:
                return kept
            if await self._store.acquire(call.runtime, SECRET, call.id, _LEASE):
                # Whoever held the lease before may have stored one since.
                kept = await self._get(call.runtime)
                if kept is None:
                    await self._set(call.runtime, self._own)
                await self._store.release(call.runtime, SECRET, call.id)
                return kept or self._own
            await call.sleep(pause)
        return None

    async def _get(self, runtime: Runtime) -> bytes | None:
        return await self._store.ask(runtime, self._store.store.get, SECRET)

    async def _set(self, runtime: Runtime, secret: bytes) -> None:
        await self._store.ask(runtime, self._store.store.set, SECRET, secret, None)
