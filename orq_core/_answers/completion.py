"""A whole JSON answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orq_core._json import loads_object
from orq_core.errors import APIStreamError, ResponseDecodeError
from orq_core.errors._body import describe
from orq_core.models import ChatCompletion

if TYPE_CHECKING:
    from cattrs import Converter


def read_completion(converter: Converter, body: bytes, status: int) -> ChatCompletion:
    """Read a whole JSON answer.

    Raises APIStreamError for an error object inside a 200, ResponseDecodeError, which keeps the
    body, for anything else that is no completion.
    """
    try:
        parsed = loads_object(body)
    except ValueError as error:
        raise ResponseDecodeError(
            f"the answer (status {status}) can't be read: {error}",
            status_code=status,
            body=body,
        ) from error
    if parsed.get("error") and not parsed.get("choices"):
        told = describe(parsed)
        raise APIStreamError(
            f"the answer has status {status} and carries an error: {told.message}",
            code=told.code,
            type=told.type,
            param=told.param,
            status_code=told.status,
            body=parsed,
            request_id=told.request_id,
        )
    return converter.structure(parsed, ChatCompletion)
