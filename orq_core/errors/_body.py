"""What an error body says, whichever of the many shapes it has."""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING, Any, cast

from attrs import evolve, frozen

from orq_core._json import loads
from orq_core._sse import Decoder

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

NO_REASON = "the server gave no reason"
_LIMIT = 500
_DEPTH = 10
_PAGE_HEAD = 4096
_PAGE = re.compile(r"<(?:!doctype\s+html|html|head|body)\b", re.IGNORECASE)
_TITLE = re.compile(r"<(title|h1)\b[^>]*>(.*?)</\1\s*>", re.IGNORECASE | re.DOTALL)
_TAG = re.compile(r"<[^>]*>")
_CONSTANT = re.compile(r"[A-Z]+(?:_[A-Z]+)*")
_MESSAGES = (
    "message",
    "msg",
    "error_description",
    "error_message",
    "errorMessage",
    "detail",
    "reason",
    "description",
    "title",
)
_STATUSES = ("status", "status_code", "statusCode", "http_status")


@frozen
class ErrorBody:
    """What was found: ``message`` is one line of at most 500 characters, never empty.

    ``status`` is the HTTP status that the body itself claims, None if it claims none.
    """

    message: str = NO_REASON
    code: str | int | None = None
    type: str | None = None
    param: str | None = None
    request_id: str | None = None
    status: int | None = None


def describe(body: object) -> ErrorBody:
    """Read an error body: parsed JSON of any shape, or text; never raises."""
    return _describe(body, _DEPTH)


def one_line(text: str, limit: int = _LIMIT) -> str:
    """Return text without line breaks and control characters, shortened to ``limit``."""
    # What is cut off anyway need not be looked at character by character.
    head = text[: limit * 4]
    line = " ".join("".join(char if char.isprintable() else " " for char in head).split())
    return line if len(line) <= limit and len(head) == len(text) else line[: limit - 1] + "…"


def _describe(body: object, depth: int) -> ErrorBody:
    if depth == 0:
        return ErrorBody()
    if isinstance(body, (bytes, bytearray)):
        return _text(body.decode("utf-8", "replace"), depth)
    if isinstance(body, str):
        return _text(body, depth)
    if isinstance(body, dict):
        return _mapping(cast("dict[str, Any]", body), depth)
    if isinstance(body, (list, tuple)):
        return _sequence(cast("Sequence[object]", body), depth)
    return ErrorBody()


def _text(text: str, depth: int) -> ErrorBody:
    if text.lstrip().startswith(("{", "[")):
        try:
            parsed: object = loads(text)
        except ValueError:
            pass
        else:
            told = _describe(parsed, depth - 1)
            if told.message != NO_REASON:
                return told
    if text.startswith(("data:", "event:")):
        events = Decoder().feed(text.encode("utf-8", "replace") + b"\n\n")
        return _describe(events[0].text if events else "", depth - 1)
    head = text[:_PAGE_HEAD].lstrip()
    if head.startswith("<") and _PAGE.search(head):
        title = _TITLE.search(head)
        text = html.unescape(_TAG.sub(" ", title.group(2))) if title else ""
    return ErrorBody(one_line(text) or NO_REASON)


def _sequence(items: Sequence[object], depth: int) -> ErrorBody:
    """Read ``[{"error": …}]`` and the list of complaints that validators send."""
    told = [_describe(item, depth - 1) for item in items[:5]]
    told = [each for each in told if each.message != NO_REASON]
    if not told:
        return ErrorBody()
    return evolve(told[0], message=one_line("; ".join(each.message for each in told)))


def _mapping(body: Mapping[str, Any], depth: int) -> ErrorBody:
    status = body.get("status")
    constant = isinstance(status, str) and _CONSTANT.fullmatch(status)
    own = ErrorBody(
        message=_message(body, depth),
        code=_code(body.get("code")),
        type=_string(body.get("type")) or (_string(status) if constant else None),
        param=_string(body.get("param")) or _location(body.get("loc")),
        request_id=_string(body.get("request_id")) or _string(body.get("requestId")),
        status=_status(body),
    )
    if own.param and own.message != NO_REASON and "loc" in body:
        own = evolve(own, message=one_line(f"{own.param}: {own.message}"))
    inner: Any = body.get("error") or body.get("errors")
    if isinstance(inner, str) and own.message != NO_REASON:
        # Here `error` is a name and `message` says more.
        if own.code is None and not any(map(str.isspace, inner)):
            own = evolve(own, code=_string(inner))
    elif inner:
        # Of an envelope that says "type": "error" only the content has a type worth telling.
        content = _describe(inner, depth - 1)
        own = _merge(content, evolve(own, type=None) if isinstance(inner, dict) else own)
    detail = body.get("detail")
    if isinstance(detail, (dict, list)):
        own = _merge(own, _describe(cast("object", detail), depth - 1))
    return _upstream(own, body, depth)


def _message(body: Mapping[str, Any], depth: int) -> str:
    for name in _MESSAGES:
        value = body.get(name)
        if value:
            told = _describe(value, depth - 1)
            if told.message != NO_REASON:
                return told.message
    return NO_REASON


def _upstream(told: ErrorBody, body: Mapping[str, Any], depth: int) -> ErrorBody:
    """Add what a provider said, where a gateway hands it on in ``metadata.raw``."""
    metadata = body.get("metadata")
    if not isinstance(metadata, dict):
        return told
    fields = cast("dict[str, Any]", metadata)
    raw = _describe(fields.get("raw"), depth - 1)
    if raw.message == NO_REASON:
        return told
    provider = _string(fields.get("provider_name"))
    message = f"{told.message} ({provider}): {raw.message}" if provider else raw.message
    # A code that only repeats the status says less than the provider's own.
    repeats = told.code is None or told.code == told.status
    return evolve(
        _merge(told, raw),
        message=one_line(message),
        code=(raw.code or told.code) if repeats else told.code,
    )


def _merge(first: ErrorBody, second: ErrorBody) -> ErrorBody:
    return ErrorBody(
        message=second.message if first.message == NO_REASON else first.message,
        code=second.code if first.code is None else first.code,
        type=first.type or second.type,
        param=first.param or second.param,
        request_id=first.request_id or second.request_id,
        status=second.status if first.status is None else first.status,
    )


def _string(value: object) -> str | None:
    return one_line(value) if isinstance(value, str) and value else None


def _code(value: object) -> str | int | None:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    return _string(value)


def _location(value: object) -> str | None:
    """Write a validator's path, ``["body", "messages", 2]``, as ``messages[2]``."""
    if not isinstance(value, (list, tuple)):
        return None
    path = ""
    for step in cast("Sequence[object]", value):
        if isinstance(step, int):
            path += f"[{step}]"
        elif isinstance(step, str) and (path or step != "body"):
            path += f".{step}" if path else step
    return _string(path)


def _status(body: Mapping[str, Any]) -> int | None:
    for name in (*_STATUSES, "code"):
        value = body.get(name)
        if isinstance(value, str) and len(value) == 3 and value.isascii() and value.isdigit():
            value = int(value)
        if isinstance(value, int) and 400 <= value <= 599:
            return value
    return None
