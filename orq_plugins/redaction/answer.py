"""The answer on its way in: one window per choice and field."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attrs import evolve

from orq_core._json import is_list, is_object
from orq_core.models import (
    Audio,
    ChatCompletionChunk,
    Choice,
    ChunkChoice,
    Delta,
    FunctionCall,
    FunctionCallDelta,
    Logprobs,
    Message,
)
from orq_plugins.redaction.calls import Calls, whole_calls
from orq_plugins.redaction.content import only_content, with_content
from orq_plugins.redaction.ends import Ends, begins, ends_at_once
from orq_plugins.redaction.messages import Messages
from orq_plugins.redaction.parts import Parts, rewritten_object
from orq_plugins.redaction.tokens import Spelling
from orq_plugins.redaction.window import joined

if TYPE_CHECKING:
    from collections.abc import Callable

    from orq_core.call import Item
    from orq_plugins.redaction.window import Piece, Window

    _New = Callable[[], Window]

TEXTS = ("content", "refusal", "reasoning", "reasoning_content", "reasoning_details", "annotations")
_CONTENT = {("content",)}
_Key = tuple[Any, ...]


class AnswerRewriter:
    """Rewrites the texts of one answer, a chunk or a whole completion at a time.

    What is held of a choice goes out with its ``finish_reason``; what is held when the answer ends
    without one, or where choices go on after it, is given by `rest`. An item in which nothing
    changes is passed on as it is.
    """

    def __init__(self, text: _New, arguments: _New, whole: Callable[[], AnswerRewriter]) -> None:
        """Open windows by ``text``, by ``arguments`` for JSON; ``whole`` rewrites what is whole."""
        self._new = {"text": text, "json": arguments}
        self._new_whole = whole
        self._windows: dict[_Key, Window] = {}
        self._tokens = Spelling()
        self._calls: dict[int | str, Calls] = {}
        self._parts: dict[_Key, Parts] = {}
        self._messages: dict[int | str, Messages] = {}
        self._last: ChatCompletionChunk | None = None
        self._only_content = True  # so far
        self._kept: ChatCompletionChunk | None = None
        self._ends = Ends()
        self.began = False
        """Whether `begin` has no more to do."""

    def begin(self, item: Item) -> list[Item]:
        """Return the items to pass on for one of the first, which `item` need not see.

        The first text may come with a ``finish_reason``. It is kept back until the next item shows
        whether that is so: from some servers all do.
        """
        kept, self._kept = self._kept, None
        if kept is None and isinstance(item, ChatCompletionChunk) and ends_at_once(item):
            self._kept = item
            return []
        if kept is None:
            self.began = begins(item)
            return [self.item(item)]
        self.began = True
        self._ends.look_ahead(kept, item)
        return [self.item(kept), self.item(item)]

    def item(self, item: Item) -> Item:
        """Return the item to pass on."""
        if isinstance(item, ChatCompletionChunk):
            self._last = item
            if self._only_content and (text := only_content(item)) is not None:
                # What nearly every chunk is like.
                choice = item.choices[0]
                index = choice.index
                if index.__class__ is not int:
                    index = index if isinstance(index, (int, str)) else 0
                window = self._windows.get((index, "content")) or self._opened((index, "content"))
                goes = window.passed(text)
                return item if goes == text else with_content(item, choice, choice.delta, goes)
            choices = [self._chunk(choice, at) for at, choice in enumerate(item.choices)]
            if any(new is not old for new, old in zip(choices, item.choices, strict=True)):
                return evolve(item, choices=choices)
            return item
        whole = [self._new_whole().choice(choice, at) for at, choice in enumerate(item.choices)]
        if any(new is not old for new, old in zip(whole, item.choices, strict=True)):
            return evolve(item, choices=whole)
        return item

    def rest(self) -> ChatCompletionChunk | None:
        """Return a chunk of what is held of choices that never finished, None if nothing is."""
        if self._kept is not None:
            # It ends the answer, so all that is held is its own.
            kept, self._kept = self._kept, None
            choices = [self._chunk(each, at, flush=True) for at, each in enumerate(kept.choices)]
            return evolve(kept, choices=choices)
        held = dict.fromkeys(key[0] for key, window in self._windows.items() if window.held)
        held |= dict.fromkeys(index for index, calls in self._calls.items() if calls.held)
        held |= dict.fromkeys(index for index, each in self._messages.items() if each.held)
        held |= dict.fromkeys(key[0] for key, parts in self._parts.items() if parts.held)
        if not held or self._last is None:
            return None
        choices = [self._chunk(ChunkChoice(index=index), 0, flush=True) for index in held]
        return evolve(self._last, choices=choices, usage=None, extra={})

    def _chunk(self, choice: ChunkChoice, at: int, *, flush: bool = False) -> ChunkChoice:
        index = choice.index if isinstance(choice.index, (int, str)) else at
        flush = self._ends.take(index, choice) or flush
        delta, logprobs = self._holder(index, choice.delta, choice.logprobs, flush=flush)
        known = {key[1:] for key in self._windows}
        others = self._tokens or self._calls or self._parts or self._messages
        self._only_content = not others and known <= _CONTENT
        extra = self._message(index, choice.extra, flush=flush)
        if delta is choice.delta and logprobs is choice.logprobs and extra is choice.extra:
            return choice
        return evolve(choice, delta=delta, logprobs=logprobs, extra=extra)

    def _message(self, index: int, extra: dict[str, Any], *, flush: bool) -> dict[str, Any]:
        """Rewrite a message that came in place of a delta."""
        message = extra.get("message")
        messages = self._messages.get(index)
        if messages is None and is_object(message):
            messages = self._messages[index] = Messages(self._new["text"](), self._whole)
        if messages is None:
            return extra
        given = message if is_object(message) else {}
        goes = messages.rewritten(given, flush=flush)
        return extra if goes is given else {**extra, "message": goes}

    def _whole(self, message: Message) -> Message:
        return self._new_whole().choice(Choice(message=message), 0).message

    def choice(self, choice: Choice, at: int) -> Choice:
        """Return a choice of a whole answer to pass on."""
        index = choice.index if isinstance(choice.index, (int, str)) else at
        message, logprobs = self._holder(index, choice.message, choice.logprobs, flush=True)
        if message is choice.message and logprobs is choice.logprobs:
            return choice
        return evolve(choice, message=message, logprobs=logprobs)

    def _holder(
        self, index: int, holder: Any, logprobs: Logprobs | None, *, flush: bool
    ) -> tuple[Any, Logprobs | None]:
        """Rewrite a delta or a message, and the log probabilities beside it."""
        changed: dict[str, Any] = {}
        tokens: dict[str, Any] = {}
        for name in TEXTS:
            key = (index, name)
            came, pieces = self._field(key, getattr(holder, name, None), changed, flush=flush)
            passed = self._tokens.feed(key, came, getattr(logprobs, name, None), pieces)
            if passed is not None:
                tokens[name] = passed
        self._structures(index, holder, changed, flush=flush)
        if tokens:
            logprobs = evolve(logprobs or Logprobs(), **tokens)
        return (evolve(holder, **changed) if changed else holder), logprobs

    def _field(
        self, key: _Key, value: Any, changed: dict[str, Any], *, flush: bool
    ) -> tuple[str, list[Piece]]:
        """Rewrite one field; return what came of its text, and what goes out."""
        if is_list(value) or key in self._parts:
            return self._listed(key, value, changed, flush=flush)
        if is_object(value):
            new = rewritten_object(value, self._new["text"])
            if new is not value:
                changed[key[1]] = new
            return "", []
        came = value if isinstance(value, str) else ""
        pieces = self._pieces(key, value, flush=flush) or []
        if (goes := joined(pieces)) != came:
            changed[key[1]] = goes
        return came, pieces

    def _listed(
        self, key: _Key, value: Any, changed: dict[str, Any], *, flush: bool
    ) -> tuple[str, list[Piece]]:
        """Rewrite a list of parts, or what comes after one: servers change over in mid-stream."""
        is_text = isinstance(value, str) and bool(value)
        given: list[Any] = [{"type": "text", "text": value}] if is_text else []
        given = value if is_list(value) else given
        parts = self._parts.get(key)
        if parts is None:
            plain = self._windows.get(key) or self._opened(key)
            parts = self._parts[key] = Parts(self._new["text"], plain)
        new = parts.rewritten(given, flush=flush)
        if new.parts is not given:
            only = is_text and len(new.parts) == 1
            changed[key[1]] = new.parts[0]["text"] if only else new.parts
        return new.came, new.pieces

    def _pieces(
        self, key: _Key, value: Any, *, flush: bool, kind: str = "text"
    ) -> list[Piece] | None:
        """Feed a text to its window; None when there is neither a text nor a window."""
        window = self._windows.get(key)
        if not isinstance(value, str):
            value = ""
        if window is None:
            if not value:
                return None
            window = self._opened(key, kind)
        pieces = window.feed(value) if value else []
        return pieces + window.flush() if flush else pieces

    def _opened(self, key: _Key, kind: str = "text") -> Window:
        window = self._windows[key] = self._new[kind]()
        return window

    def _structures(self, index: int, holder: Any, changed: dict[str, Any], *, flush: bool) -> None:
        """Rewrite what is no plain field: tool calls and audio."""
        is_delta = isinstance(holder, Delta)
        calls = self._tool_calls(index, holder, flush=flush)
        if calls is not None:
            changed["tool_calls"] = calls
        call = holder.function_call
        arguments = None if call is None else call.arguments
        pieces = self._pieces((index, "function"), arguments, flush=flush, kind="json")
        if pieces is not None and (goes := joined(pieces)) != (arguments or ""):
            base = call or (FunctionCallDelta() if is_delta else FunctionCall())
            changed["function_call"] = evolve(base, arguments=goes)
        audio = holder.audio
        transcript = None if audio is None else audio.transcript
        pieces = self._pieces((index, "audio"), transcript, flush=flush)
        if pieces is not None and (goes := joined(pieces)) != (transcript or ""):
            changed["audio"] = evolve(audio or Audio(), transcript=goes)

    def _tool_calls(self, index: int, holder: Any, *, flush: bool) -> list[Any] | None:
        given: list[Any] = holder.tool_calls or []
        if not isinstance(holder, Delta):
            return whole_calls(given, *self._new.values())
        if not given and not (flush and index in self._calls):
            return None
        calls = self._calls.setdefault(index, Calls(*self._new.values()))
        return calls.rewritten(given, flush=flush)
