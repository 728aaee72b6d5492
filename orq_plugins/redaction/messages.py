"""Messages that some servers stream in place of deltas; the core reads them where no delta speaks.

Each repeats the text of the earlier ones, or goes on from it.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from orq_core.models import Message, make_converter, to_dict
from orq_plugins.redaction.window import joined

if TYPE_CHECKING:
    from collections.abc import Callable

    from orq_plugins.redaction.window import Window


class Messages:
    """The messages of one choice: their content is one text, everything else is whole."""

    def __init__(self, content: Window, whole: Callable[[Message], Message]) -> None:
        """Rewrite all but the content by ``whole``."""
        self._content = content
        self._whole = whole
        self._came = ""
        self._gone = ""

    @property
    def held(self) -> int:
        """How many characters have come in and not gone out."""
        return self._content.held

    def rewritten(self, message: dict[str, Any], *, flush: bool) -> dict[str, Any]:
        """Take what one chunk has, or an empty message, and return what goes out."""
        content = message.get("content")
        if not isinstance(content, str):
            rest = self._goes("", flush=flush) if flush else ""
            new = self._others(message)
            return {**new, "content": rest} if rest else new
        others = {name: value for name, value in message.items() if name != "content"}
        goes = self._goes(content, flush=flush)
        new = self._others(others)
        return message if new is others and goes == content else {**new, "content": goes}

    def _goes(self, content: str, *, flush: bool) -> str:
        repeats = bool(self._came) and content.startswith(self._came)
        new = content[len(self._came) :] if repeats else content
        self._came += new
        pieces = self._content.feed(new) if new else []
        goes = joined(pieces + self._content.flush() if flush else pieces)
        before, self._gone = self._gone, self._gone + goes
        # What begins like all of the earlier ones would be taken for a repetition of them.
        return self._gone if repeats or (goes and goes.startswith(before)) else goes

    def _others(self, message: dict[str, Any]) -> dict[str, Any]:
        if not message:
            return message
        read: Message = _reader()(message, Message)
        new = self._whole(read)
        return message if new is read else {**message, **to_dict(new)}


@cache
def _reader() -> Callable[[Any, type[Message]], Message]:
    return make_converter().get_structure_hook(Message)
