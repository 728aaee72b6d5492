"""``module:factory``, as the command line of pytest names a plugin."""

from __future__ import annotations

import pkgutil
import re
from typing import TYPE_CHECKING, Any

from orq_core.testing.conformance.scene import Options

if TYPE_CHECKING:
    from orq_core.testing.conformance.scene import Factory

DECLARATIONS = ("changes_items", "recovers_errors")
_SPELLED = re.compile(r"(?P<name>[\w.]+:[\w.]+)(\[(?P<declared>[\w, ]*)\])?")


def named(text: str) -> tuple[Factory, Options]:
    """Read ``package.module:factory[changes_items,recovers_errors]``.

    Raises ValueError when it is spelled otherwise, TypeError when what it names can't be called,
    and whatever importing the module raises.
    """
    found = _SPELLED.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is not spelled module:factory or module:factory[changes_items]")
    declared = [name for name in re.split(r"[, ]+", found["declared"] or "") if name]
    unknown = [name for name in declared if name not in DECLARATIONS]
    if unknown:
        raise ValueError(f"{', '.join(unknown)}: known are {', '.join(DECLARATIONS)}")
    factory: Any = pkgutil.resolve_name(found["name"])
    if not callable(factory):
        raise TypeError(f"{found['name']} can't be called; name a class or a function")
    return factory, Options(
        changes_items="changes_items" in declared, recovers_errors="recovers_errors" in declared
    )
