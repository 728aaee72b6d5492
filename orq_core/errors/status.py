"""Answers whose status says no."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from orq_core.errors.base import OrqError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from typing_extensions import Unpack

    from orq_core.errors.base import Known


class APIStatusError(OrqError):
    """The server answered with a status other than 2xx.

    ``body`` is the parsed JSON, else the text, else None. ``headers`` has names in lower case and
    no cookies. ``code``, ``type`` and ``param`` are the server's own, from whichever of the usual
    shapes its body has. ``retry_after``: seconds the server asks to wait, None if it does not.
    """

    def __init__(
        self,
        message: str = "",
        *,
        status_code: int,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        code: str | int | None = None,
        type: str | None = None,  # noqa: A002 - the server's error object names the field `type`, and so does the attribute
        param: str | None = None,
        retry_after: float | None = None,
        **known: Unpack[Known],
    ) -> None:
        """Keep what the server said; raised ones are made by ``status_error``."""
        super().__init__(message, **known)
        self.status_code = status_code
        self.body = body
        self.headers: dict[str, str] = dict(headers or {})
        self.code = code
        self.type = type
        self.param = param
        self.retry_after = retry_after


class BadRequestError(APIStatusError):
    """Status 400: the request is malformed, or was refused by a guardrail."""


class AuthenticationError(APIStatusError):
    """Status 401: the key is missing, wrong or expired."""


class PermissionDeniedError(APIStatusError):
    """Status 403: the key may not do this."""


class NotFoundError(APIStatusError):
    """Status 404: no such model, deployment or path."""


class ConflictError(APIStatusError):
    """Status 409: the request contradicts the server's state."""


class UnprocessableEntityError(APIStatusError):
    """Status 422: well-formed, but not something the server can act on."""


class RateLimitError(APIStatusError):
    """Status 429: a rate limit or budget is used up; see ``retry_after``."""


class InternalServerError(APIStatusError):
    """Status 500 and above: the router or the provider behind it failed."""
