"""A completion's request as it is written for the wire."""

from __future__ import annotations

import platform
from functools import cache
from importlib.metadata import version
from typing import TYPE_CHECKING

from orq_core._json import dumps
from orq_core.config import bearer
from orq_core.models import unstructure_request
from orq_core.transports import HttpRequest

if TYPE_CHECKING:
    from cattrs import Converter

    from orq_core.call import Call
    from orq_core.models import ChatCompletionRequest

_JSON = "application/json"
_SSE = "text/event-stream"


@cache
def user_agent() -> str:
    """Return what this client calls itself."""
    return f"orq-core/{version('orq-core')} python/{platform.python_version()}"


def http_request(
    call: Call,
    request: ChatCompletionRequest,
    converter: Converter,
    key: str | None,
    *,
    checked: bool = False,
) -> HttpRequest:
    """Write a request for the wire, before hooks have changed its headers.

    ``checked``: nothing in it was changed since it was built.

    Raises RequestError for what JSON can't hold.
    """
    body = unstructure_request(converter, request, checked=checked)
    headers = {
        "Accept": call.options.accept_header_override or (_SSE if call.stream else _JSON),
        # A compressed stream arrives in the compressor's blocks, not when it is written.
        "Accept-Encoding": "identity" if call.stream else "gzip, deflate",
        "Content-Type": _JSON,
        "User-Agent": user_agent(),
    }
    if key is not None:
        headers["Authorization"] = bearer(key)
    if own := call.options.http_headers:
        given = {name.lower() for name in own}
        headers = {name: value for name, value in headers.items() if name.lower() not in given}
        headers.update(own)
    limits = call.limits.attempt()
    return HttpRequest("POST", call.url, headers, dumps(body), limits, stream=call.stream)
