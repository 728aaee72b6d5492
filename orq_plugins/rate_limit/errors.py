"""What is raised in place of a request that would have to wait too long."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orq_core import OrqError

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from orq_core.errors.base import Known


class RateLimitWaitError(OrqError):
    """The wait for a rate limit would be too long, so nothing was sent.

    Not a server's answer: that is `RateLimitError`. ``attempts`` has those that failed before, if
    it was a repeat that was not sent. ``retry_after``: seconds after which the limit
    may let a call through, None when that depends on calls in flight. ``scope``: whose limit it is.
    """

    def __init__(
        self,
        message: str = "",
        *,
        retry_after: float | None = None,
        scope: str = "",
        **known: Unpack[Known],
    ) -> None:
        """Say how long it would take."""
        super().__init__(message, **known)
        self.retry_after = retry_after
        self.scope = scope
