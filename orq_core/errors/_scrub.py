"""Keeping secrets out of what is quoted from a server."""

from __future__ import annotations

import json
import re
from typing import Any

from orq_core._json import is_list, is_object, loads

_SECRET_LENGTH = 4
_DEPTH = 64
_TEXT_LIMIT = 64 * 1024


class Scrub:
    """Replaces secrets, also as they look inside JSON text."""

    def __init__(self, secrets: tuple[str, ...]) -> None:
        plain = {secret for secret in secrets if len(secret) >= _SECRET_LENGTH}
        escaped = {json.dumps(secret)[1:-1] for secret in plain}
        # Longest first: one secret may be the beginning of another.
        words = sorted(plain | escaped, key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, words))) if words else None

    def error(self, error: BaseException) -> None:
        """Scrub what an error, and what led to it, quote of the answer."""
        if self._pattern is None:
            return
        seen: set[int] = set()
        todo: list[BaseException | None] = [error]
        while todo:
            each = todo.pop()
            if each is None or id(each) in seen:
                continue
            seen.add(id(each))
            todo += [each.__cause__, each.__context__]
            todo += [arg for arg in each.args if isinstance(arg, BaseException)]
            each.args = tuple(map(self._quoted, each.args))
            for name, value in tuple(vars(each).items()):
                if isinstance(value, BaseException):
                    todo.append(value)
                elif (clean := self._quoted(value)) is not value:
                    setattr(each, name, clean)

    def _quoted(self, value: Any) -> Any:
        """Return the value itself unless it is something that may quote an answer."""
        if isinstance(value, bytes):
            # Latin-1 gives each byte back as it was.
            return self.text(value.decode("latin-1")).encode("latin-1")
        if isinstance(value, str) or is_list(value) or is_object(value):
            try:
                return self._value(value, _DEPTH)
            except ValueError:
                return self.text(repr(value)[:_TEXT_LIMIT])
        return value

    def text(self, text: str) -> str:
        return text if self._pattern is None else self._pattern.sub("***", text)

    def body(self, body: bytes) -> Any:
        """Return the parsed JSON of a body, else its text, else None."""
        if not body.strip():
            return None
        try:
            return self._value(loads(body), _DEPTH)
        except ValueError:
            return self.text(body.decode("utf-8", "replace"))[:_TEXT_LIMIT]

    def _value(self, value: Any, depth: int) -> Any:
        if depth == 0:
            # Its text serves as well, and can be pickled.
            raise ValueError("nested too deeply")
        if isinstance(value, str):
            return self.text(value)
        if is_list(value):
            return [self._value(item, depth - 1) for item in value]
        if is_object(value):
            return {self.text(key): self._value(item, depth - 1) for key, item in value.items()}
        return value
