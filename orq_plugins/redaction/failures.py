"""Errors that may quote what a provider saw or wrote."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from orq_core import ChatCompletion, OrqError, ResponseDecodeError, StreamError
from orq_core._json import is_list, is_object
from orq_plugins.redaction.assembly import answer_rewriter, scanners
from orq_plugins.redaction.window import TextWindow, joined

if TYPE_CHECKING:
    from orq_plugins.redaction.matcher import Matcher
    from orq_plugins.redaction.settings import Settings
    from orq_plugins.redaction.window import Rewrite


def redact_error(error: OrqError, matcher: Matcher, settings: Settings, rewrite: Rewrite) -> None:
    """Rewrite an error's message, names, body and partial answer in place.

    What a server quotes of the request holds placeholders; they are left, also for the caller: an
    exception ends in logs.
    """
    scanner = scanners(matcher, settings, whole=True)

    def text(value: str) -> str:
        window = TextWindow(scanner, rewrite)
        return joined(window.feed(value) + window.flush())

    def data(value: Any) -> Any:
        if isinstance(value, str):
            return text(value)
        if isinstance(value, bytes):
            return text(value.decode("utf-8", "replace")).encode()
        if is_list(value):
            return [data(each) for each in value]
        if is_object(value):
            return {name: data(each) for name, each in value.items()}
        return value

    error.args = tuple(text(arg) if isinstance(arg, str) else arg for arg in error.args)
    for name in ("code", "type", "param"):
        value = getattr(error, name, None)
        if isinstance(value, str):
            setattr(error, name, text(value))
    body = getattr(error, "body", None)
    if body is not None:
        error.body = data(body)  # type: ignore[attr-defined]  # `getattr` on the lines before has found it; not every error of the tree has one
    if isinstance(error, (StreamError, ResponseDecodeError)) and error.partial is not None:
        rewritten = answer_rewriter(matcher, settings, rewrite).item(error.partial)
        if isinstance(rewritten, ChatCompletion):
            error.partial = rewritten
