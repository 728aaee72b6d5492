"""The root of the tree, and the errors that no answer is needed for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypedDict

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from orq_core.call import Attempt

    TimeoutKind = Literal["connect", "first_event", "idle", "total"]


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
