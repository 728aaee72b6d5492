"""Where something was made that its owner forgot to close."""

from __future__ import annotations

import inspect
import sys
import warnings

from attrs import define

_OURS = __name__.partition(".")[0]
_PASSED = {_OURS, "orq_plugins", "asyncio"}


@define(frozen=True)
class Origin:
    """A line of the caller's; no frame is kept, and so nothing that a frame refers to."""

    file: str
    line: int

    @classmethod
    def here(cls) -> Origin:
        """Return the nearest line outside this distribution, and asyncio if there is one."""
        found = frame = inspect.currentframe()
        while frame is not None and _package(frame.f_globals) in _PASSED:
            found, frame = frame, frame.f_back
        found = frame or found
        if found is None:
            # Not every implementation of Python has frames.
            return cls("<unknown>", 0)
        return cls(found.f_code.co_filename, found.f_lineno)

    def warn(self, message: str) -> None:
        """Emit a ResourceWarning at that line; nothing at the interpreter's end."""
        if sys.is_finalizing():
            return
        warnings.warn_explicit(
            f"{message}; made at {self.file}:{self.line}",
            ResourceWarning,
            self.file,
            self.line,
        )


def _package(names: dict[str, object]) -> str:
    return str(names.get("__name__", "")).partition(".")[0]
