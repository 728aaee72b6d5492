"""Encryption at rest, around any store."""

from __future__ import annotations

import hashlib
import secrets
from typing import TYPE_CHECKING, Any

from orq_core import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orq_core import Runtime
    from orq_plugins.caching.stores.protocol import Store

_VERSION = b"\x01"
_KEY_ID = 4
_NONCE = 12
_SIZES = (16, 24, 32)


class Sealed:
    """Encrypts what another store keeps, with AES-GCM (NIST SP 800-38D) and a random nonce.

    ``key``: 16, 24 or 32 bytes, see `generate_key`. ``previous``: keys that were used before, with
    which is read and not written. An entry is bound to its key in the store: moved to another place
    it can't be opened. What can't be opened is a miss.

    Needs the extra ``encryption``. Raises ConfigurationError when it is missing.
    """

    def __init__(self, store: Store, key: bytes, *, previous: Sequence[bytes] = ()) -> None:
        """Check the keys."""
        try:
            from cryptography.exceptions import InvalidTag  # noqa: PLC0415 - cryptography is an extra, which only users of sealed stores have
            from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415 - cryptography is an extra, which only users of sealed stores have
        except ImportError:
            raise ConfigurationError(
                "Sealed needs cryptography: pip install 'orq-core[encryption]'",
            ) from None
        for each in (key, *previous):
            if not _is_key(each):
                raise ConfigurationError("key: expected 16, 24 or 32 bytes; see generate_key()")
        self._store = store
        self._invalid = InvalidTag
        self._current = _key_id(key)
        self._ciphers: dict[bytes, Any] = {_key_id(k): AESGCM(k) for k in (*previous, key)}

    @staticmethod
    def generate_key() -> bytes:
        """Return 32 random bytes."""
        return secrets.token_bytes(32)

    def __repr__(self) -> str:
        return f"<Sealed {self._store!r}>"

    async def get(self, runtime: Runtime, key: str) -> bytes | None:
        """See `Store`."""
        sealed = await self._store.get(runtime, key)
        return None if sealed is None else self._open(key, sealed)

    async def peek(self, runtime: Runtime, key: str) -> bytes | None:
        """See `Store`."""
        look = getattr(self._store, "peek", self._store.get)
        sealed: bytes | None = await look(runtime, key)
        return None if sealed is None else self._open(key, sealed)

    async def set(self, runtime: Runtime, key: str, value: bytes, ttl: float | None) -> None:
        """See `Store`."""
        await self._store.set(runtime, key, self._seal(key, value), ttl)

    async def delete(self, runtime: Runtime, key: str) -> None:
        """See `Store`."""
        await self._store.delete(runtime, key)

    async def acquire(self, runtime: Runtime, key: str, owner: str, seconds: float) -> bool:
        """See `Store`."""
        return await self._store.acquire(runtime, key, owner, seconds)

    async def release(self, runtime: Runtime, key: str, owner: str) -> None:
        """See `Store`."""
        await self._store.release(runtime, key, owner)

    async def close(self, runtime: Runtime) -> None:
        """See `Store`."""
        await self._store.close(runtime)

    def _seal(self, key: str, value: bytes) -> bytes:
        head = _VERSION + self._current
        nonce = secrets.token_bytes(_NONCE)
        cipher = self._ciphers[self._current]
        sealed: bytes = cipher.encrypt(nonce, value, head + key.encode())
        return head + nonce + sealed

    def _open(self, key: str, sealed: bytes) -> bytes | None:
        body = 1 + _KEY_ID
        head, nonce, rest = sealed[:body], sealed[body : body + _NONCE], sealed[body + _NONCE :]
        cipher = self._ciphers.get(head[1:])
        if head[:1] != _VERSION or cipher is None:
            return None
        try:
            value: bytes = cipher.decrypt(nonce, rest, head + key.encode())
        except (self._invalid, ValueError):
            return None
        return value


def _is_key(value: object) -> bool:
    return isinstance(value, bytes) and len(value) in _SIZES


def _key_id(key: bytes) -> bytes:
    return hashlib.sha256(b"orq-core key id" + key).digest()[:_KEY_ID]
