"""What a cache asks of a store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from orq_core import Runtime


SECRET = "orq-secret"  # noqa: S105 - the name under which stores keep the secret, not the secret
"""The key of the secret that all other keys are made with: without it nothing is found again."""


class Store(Protocol):
    """Bytes by key, for some time.

    Every method is a coroutine that gets the call's runtime: ``await runtime.run(function, …)``
    calls what blocks, inline or in a thread; ``runtime.is_async`` tells which. In blocking mode
    none may suspend. What a store raises counts as a miss.

    A store that forgets to make room should forget what is under `SECRET` last, if at all.

    A store may have ``peek``, with the arguments of ``get``, which leaves no trace: it creates no
    file and makes no entry the last one used. Dry runs ask it in place of ``get``.
    """

    async def get(self, runtime: Runtime, key: str) -> bytes | None:
        """Return the value; None when there is none, or its time is over."""
        ...

    async def set(self, runtime: Runtime, key: str, value: bytes, ttl: float | None) -> None:
        """Keep a value for ``ttl`` seconds, None for as long as there is room."""
        ...

    async def delete(self, runtime: Runtime, key: str) -> None:
        """Forget a value."""
        ...

    async def acquire(self, runtime: Runtime, key: str, owner: str, seconds: float) -> bool:
        """Take a lease among all who share the store; always granted by a store nobody shares."""
        ...

    async def release(self, runtime: Runtime, key: str, owner: str) -> None:
        """Give a lease back, if it is still the owner's."""
        ...

    async def close(self, runtime: Runtime) -> None:
        """Release connections and files; idempotent, and they are opened again when needed."""
        ...
