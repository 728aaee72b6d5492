"""RequestErrors that learn their path while they rise through a request."""

from __future__ import annotations

import datetime as dt
import decimal
import pathlib

from orq_core.errors import RequestError

_LONGEST = 200

_HINTS: tuple[tuple[type | tuple[type, ...], str], ...] = (
    (type(None), "leave the field out"),
    ((bytes, bytearray, memoryview), "decode it to a str first"),
    ((set, frozenset), "pass a list"),
    ((dt.date, dt.time), "pass its isoformat()"),
    (decimal.Decimal, "pass a float or a str of it"),
    (pathlib.PurePath, "pass a str of it"),
)


def misfit(expected: str, value: object) -> RequestError:
    """Say what was expected and which type came, never its value."""
    problem = f"expected {expected}, got {type(value).__name__}"
    hint = next((text for kinds, text in _HINTS if isinstance(value, kinds)), None)
    return RequestError(problem if hint is None else f"{problem}; {hint}", path="")


def under(error: RequestError, step: str | int) -> RequestError:
    """Put a step before the error's path, and the path before its message."""
    path = error.path or ""
    problem = str(error).removeprefix(f"{path}: ") if path else str(error)
    if isinstance(step, int):
        start = f"[{step}]"
    elif step.isidentifier():
        start = step
    else:
        start = f"[{step!a}]"
    longer = start + ("" if not path or path.startswith("[") else ".") + path
    if len(longer) > _LONGEST:
        longer = longer[: _LONGEST - 1] + "…"
    error.path = longer
    error.args = (f"{longer}: {problem}",)
    return error
