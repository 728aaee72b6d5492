"""Everything a call can raise, one tree.

::

    OrqError                        .request_id .trace_id .attempts
    ├── ConfigurationError          a setting is missing, unknown or contradicts another
    ├── RequestError                the request can't be built: .path names the field
    ├── APIConnectionError          the connection broke after sending had begun
    │   └── ConnectError            nothing was sent, so repeating is safe
    ├── APITimeoutError             a limit was reached: .kind, .seconds (a TimeoutError too)
    ├── APIStatusError              any status but 2xx: .status_code .body .headers .code …
    │   ├── BadRequestError             400
    │   ├── AuthenticationError         401
    │   ├── PermissionDeniedError       403
    │   ├── NotFoundError               404
    │   ├── ConflictError               409
    │   ├── UnprocessableEntityError    422
    │   ├── RateLimitError              429
    │   └── InternalServerError         500 and above
    ├── StreamError                 the answer had begun: .partial .delivered
    │   ├── StreamInterruptedError      its connection broke
    │   ├── StreamTruncatedError        it ended with no finish_reason and no [DONE]
    │   └── APIStreamError              the server reported an error inside a 200
    ├── ResponseDecodeError         the answer is not what it should be: .body holds it
    └── PluginError                 a plugin broke the rules: .plugin
        └── SuspendedError              it awaited what nobody resumes in blocking mode

Exceptions of the HTTP backends appear only as ``__cause__``. All of these can be copied and
pickled; a pickle keeps the attributes and drops the cause. Messages name fields, statuses and
what the server said; they hold no key, no header value and nothing of the request.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypedDict

if TYPE_CHECKING:
    from collections.abc import Mapping

    from typing_extensions import Unpack

    from orq_core.call import Attempt
    from orq_core.models import ChatCompletion

    TimeoutKind = Literal["connect", "first_event", "idle", "total"]

_BODY_LIMIT = 64 * 1024


class Known(TypedDict, total=False):
    """What any error may be told about its call."""

    request_id: str | None
    trace_id: str | None
    attempts: tuple[Attempt, ...]


class OrqError(Exception):
    """Base of all errors of this library.

    ``request_id`` and ``trace_id`` are what the server called the request, where it said so;
    ``attempts`` lists the HTTP exchanges the call has made so far.
    """

    def __init__(self, message: str = "", **known: Unpack[Known]) -> None:
        """Say in one line what went wrong."""
        super().__init__(message)
        self.request_id: str | None = known.get("request_id")
        self.trace_id: str | None = known.get("trace_id")
        self.attempts: tuple[Attempt, ...] = known.get("attempts", ())

    def __reduce__(self) -> tuple[Any, ...]:
        # The default would call the class with the message alone, which not every subclass takes.
        return _rebuild, (type(self), self.args), self.__dict__.copy()


def _rebuild(kind: type[OrqError], args: tuple[Any, ...]) -> OrqError:
    error = kind.__new__(kind)
    error.args = args
    return error


class ConfigurationError(OrqError):
    """A setting, argument or environment variable can't be used."""


class RequestError(OrqError):
    """The request can't be built; ``path`` names the field, as in ``messages[2].content``."""

    def __init__(
        self, message: str = "", *, path: str | None = None, **known: Unpack[Known]
    ) -> None:
        """Say which field is wrong and what would be right, without showing its value."""
        super().__init__(message, **known)
        self.path = path


class APIConnectionError(OrqError):
    """The connection failed; the server may have seen the request, or a part of it."""


class ConnectError(APIConnectionError):
    """No connection came about, so nothing was sent: repeating is safe."""


class APITimeoutError(OrqError, TimeoutError):
    """A limit of `Timeout` was reached.

    ``kind`` says which one, ``seconds`` how long it was. Also a builtin TimeoutError, and with
    that an OSError.
    """

    def __init__(
        self,
        message: str = "",
        *,
        kind: TimeoutKind = "total",
        seconds: float | None = None,
        **known: Unpack[Known],
    ) -> None:
        """Say which limit was reached."""
        super().__init__(message, **known)
        self.kind: TimeoutKind = kind
        self.seconds = seconds


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
        type: str | None = None,  # noqa: A002
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
        type: str | None = None,  # noqa: A002
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

    ``body``: what arrived, at most its first 64 KiB; it is never part of the message.
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
        self.body = body if body is None else body[:_BODY_LIMIT]
        self.partial = partial
        self.delivered = delivered


class PluginError(OrqError):
    """A plugin can't be loaded, or broke the rules of its hook; ``plugin`` is its name."""

    def __init__(
        self, message: str = "", *, plugin: str | None = None, **known: Unpack[Known]
    ) -> None:
        """Say which rule."""
        super().__init__(message, **known)
        self.plugin = plugin


class SuspendedError(PluginError):
    """A layer awaited something that nobody resumes in blocking mode."""
