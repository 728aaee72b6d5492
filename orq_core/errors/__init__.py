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

from orq_core.errors.answer import (
    APIStreamError,
    ResponseDecodeError,
    StreamError,
    StreamInterruptedError,
    StreamTruncatedError,
)
from orq_core.errors.base import (
    APIConnectionError,
    APITimeoutError,
    ConfigurationError,
    ConnectError,
    OrqError,
    PluginError,
    RequestError,
    SuspendedError,
)
from orq_core.errors.status import (
    APIStatusError,
    AuthenticationError,
    BadRequestError,
    ConflictError,
    InternalServerError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitError,
    UnprocessableEntityError,
)

__all__ = [
    "APIConnectionError",
    "APIStatusError",
    "APIStreamError",
    "APITimeoutError",
    "AuthenticationError",
    "BadRequestError",
    "ConfigurationError",
    "ConflictError",
    "ConnectError",
    "InternalServerError",
    "NotFoundError",
    "OrqError",
    "PermissionDeniedError",
    "PluginError",
    "RateLimitError",
    "RequestError",
    "ResponseDecodeError",
    "StreamError",
    "StreamInterruptedError",
    "StreamTruncatedError",
    "SuspendedError",
    "UnprocessableEntityError",
]

for _name in __all__:
    # A pickle or a traceback names the place that is promised, not the room it was written in.
    globals()[_name].__module__ = __name__
