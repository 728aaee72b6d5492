"""Checks that stores share."""

from __future__ import annotations

from orq_core import ConfigurationError


def checked_bytes(max_bytes: object) -> int:
    """Return a bound in bytes; raises ConfigurationError for what is none."""
    if isinstance(max_bytes, int) and not isinstance(max_bytes, bool) and max_bytes > 0:
        return max_bytes
    raise ConfigurationError("max_bytes: expected a positive number of bytes")


def checked_seconds(name: str, seconds: object) -> float:
    """Return a positive number of seconds; raises ConfigurationError for what is none."""
    if isinstance(seconds, (int, float)) and not isinstance(seconds, bool) and seconds > 0:
        return seconds
    raise ConfigurationError(f"{name}: expected a positive number of seconds")
