"""Answers that began well."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from orq_core.errors.base import OrqError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from typing_extensions import Unpack

    from orq_core.errors.base import Known
    from orq_core.models import ChatCompletion


class StreamError(OrqError):
    """An answer that had begun did not end well.

    ``partial``: what had arrived, as one completion; None when nothing had. ``delivered``: how
    many chunks that were.
    """

    def __init__(
        self,
        message: str = "",
        *,
        partial: ChatCompletion | None = None,
        delivered: int = 0,
        **known: Unpack[Known],
    ) -> None:
        """Say how it ended."""
        super().__init__(message, **known)
        self.partial = partial
        self.delivered = delivered


class StreamInterruptedError(StreamError):
    """The connection broke in the middle of a stream."""


class StreamTruncatedError(StreamError):
    """The stream ended in good order, but with neither ``finish_reason`` nor ``[DONE]``."""


class APIStreamError(StreamError):
    """The server reported an error inside an answer of status 200.

    ``code``, ``type``, ``param`` and ``body`` as on `APIStatusError`; ``status_code`` is the
    status that the error itself claims, if any.
    """

    def __init__(
        self,
        message: str = "",
        *,
        code: str | int | None = None,
        type: str | None = None,  # noqa: A002 - the server's error object names the field `type`, and so does the attribute
        param: str | None = None,
        status_code: int | None = None,
        body: Any = None,
        partial: ChatCompletion | None = None,
        delivered: int = 0,
        **known: Unpack[Known],
    ) -> None:
        """Keep what the server said."""
        super().__init__(message, partial=partial, delivered=delivered, **known)
        self.code = code
        self.type = type
        self.param = param
        self.status_code = status_code
        self.body = body


class ResponseDecodeError(OrqError):
    """An answer, or an event of a stream, is not JSON of the expected kind, or too large.

    ``body``: what arrived, whole; it is never part of the message.
    ``partial`` and ``delivered`` as on `StreamError`.
    """

    def __init__(
        self,
        message: str = "",
        *,
        status_code: int | None = None,
        headers: Mapping[str, str] | None = None,
        body: bytes | str | None = None,
        partial: ChatCompletion | None = None,
        delivered: int = 0,
        **known: Unpack[Known],
    ) -> None:
        """Say what was expected."""
        super().__init__(message, **known)
        self.status_code = status_code
        self.headers: dict[str, str] = dict(headers or {})
        self.body = body
        self.partial = partial
        self.delivered = delivered
