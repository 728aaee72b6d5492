"""The seed SDK's one error for every status."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from attrs import define, field

from orq_core.errors import APIStatusError, OrqError, ResponseDecodeError

if TYPE_CHECKING:
    from collections.abc import Mapping

_REDIRECTS = range(300, 400)


@define(frozen=True)
class RawResponse:
    """What is left of the answer behind an error."""

    status_code: int
    headers: Mapping[str, str] = field(repr=False)
    text: str = field(repr=False)


class SDKError(OrqError):
    """An answer that is no completion: ``message``, ``status_code``, ``body``, ``raw_response``.

    ``body`` is text; JSON is written out again, without white space. It is part of ``str`` here,
    and of no other error of this library; the key is masked in it. This library's own
    error, which knows more, is its ``__cause__``.
    """

    def __init__(
        self,
        message: str,
        status_code: int = -1,
        body: str = "",
        raw_response: RawResponse | None = None,
    ) -> None:
        """Say what happened."""
        super().__init__(message)
        self.message = message
        self.status_code = status_code
        self.body = body
        self.raw_response = raw_response

    def __str__(self) -> str:
        """Give message and status, and the body on lines of its own."""
        told = f"{self.message}: Status {self.status_code}"
        return f"{told}\n{self.body}" if self.body else told


def sdk_error(error: OrqError) -> OrqError:
    """Return the seed's error for one of ours; what was no answer at all stays as it is."""
    if not isinstance(error, (APIStatusError, ResponseDecodeError)) or error.status_code is None:
        return error
    status, body = error.status_code, _text(error.body)
    headers = error.headers
    if isinstance(error, APIStatusError) and status not in _REDIRECTS:
        message = "API error occurred"
    else:
        kind = headers.get("content-type", "")
        message = f"Unexpected response received (code: {status}, type: {kind})"
    told = SDKError(message, status, body, RawResponse(status, headers, body))
    told.request_id, told.trace_id = error.request_id, error.trace_id
    told.attempts = error.attempts
    return told


def _text(body: object) -> str:
    if body is None:
        return ""
    if isinstance(body, bytes):
        return body.decode("utf-8", "replace")
    if isinstance(body, str):
        return body
    return json.dumps(body, ensure_ascii=False, separators=(",", ":"))
