"""Which context variables a plugin has changed for its caller."""

from __future__ import annotations

from contextvars import Context, copy_context

_ABSENT = object()
_AT_FIRST_USE = frozenset({"decimal_context"})  # the interpreter's own


def changed(before: Context) -> list[str]:
    """Name the variables whose values are not what they were."""
    now = copy_context()
    names = [each.name for each in now if before.get(each, _ABSENT) is not now[each]]
    return [name for name in names if name not in _AT_FIRST_USE]
