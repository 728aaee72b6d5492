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
    TokenLogprob,
)
from orq_plugins.redaction.calls import Calls, whole_calls
from orq_plugins.redaction.content import only_content, with_content
from orq_plugins.redaction.tokens import Tokens
from orq_plugins.redaction.window import Piece, Window, joined

if TYPE_CHECKING:
    from collections.abc import Callable

    from orq_core.call import Item

TEXTS = ("content", "refusal", "reasoning", "reasoning_content")
_PARTS = ("text", "thinking", "reasoning", "summary", "refusal")
_CONTENT = {("content",)}
_Key = tuple[Any, ...]


class AnswerRewriter:
    """Rewrites the texts of one answer, a chunk or a whole completion at a time.

    What is held of a choice goes out with its ``finish_reason``; what is held when the answer ends
    without one is given by `rest`. An item in which nothing changes is passed on as it is.
    """

    def __init__(self, text: Callable[[], Window], arguments: Callable[[], Window]) -> None:
        """Open windows by ``text``, and by ``arguments`` for the JSON of tool calls."""
        self._new = {"text": text, "json": arguments}
        self._windows: dict[_Key, Window] = {}
        self._tokens: dict[_Key, Tokens] = {}
        self._calls: dict[int | str, Calls] = {}
        self._last: ChatCompletionChunk | None = None
        self._only_content = True  # so far

    def item(self, item: Item) -> Item:
        """Return the item to pass on."""
        if isinstance(item, ChatCompletionChunk):
            self._last = item
            if self._only_content and (text := only_content(item)) is not None:
                # What nearly every chunk is like.
                choice = item.choices[0]
                index = choice.index if isinstance(choice.index, (int, str)) else 0
                window = self._windows.get((index, "content")) or self._opened((index, "content"))
                goes = window.passed(text)
                return item if goes == text else with_content(item, choice, choice.delta, goes)
            choices = [self._chunk(choice, at) for at, choice in enumerate(item.choices)]
            if any(new is not old for new, old in zip(choices, item.choices, strict=True)):
                return evolve(item, choices=choices)
            return item
        return evolve(
            item, choices=[self._choice(choice, at) for at, choice in enumerate(item.choices)]
        )

    def rest(self) -> ChatCompletionChunk | None:
        """Return a chunk of what is held of choices that never finished, None if nothing is."""
        held = dict.fromkeys(key[0] for key, window in self._windows.items() if window.held)
        held |= dict.fromkeys(index for index, calls in self._calls.items() if calls.held)
        if not held or self._last is None:
            return None
        choices = [self._chunk(ChunkChoice(index=index), 0, flush=True) for index in held]
        return evolve(self._last, choices=choices, usage=None, extra={})

    def _chunk(self, choice: ChunkChoice, at: int, *, flush: bool = False) -> ChunkChoice:
        index = choice.index if isinstance(choice.index, (int, str)) else at
        flush = flush or bool(choice.finish_reason)
        delta, logprobs = self._holder(index, choice.delta, choice.logprobs, flush=flush)
        known = {key[1:] for key in self._windows}
        self._only_content = not (self._tokens or self._calls) and known <= _CONTENT
        if delta is choice.delta and logprobs is choice.logprobs:
            return choice
        return evolve(choice, delta=delta, logprobs=logprobs)

    def _choice(self, choice: Choice, at: int) -> Choice:
        index = choice.index if isinstance(choice.index, (int, str)) else at
        message, logprobs = self._holder(index, choice.message, choice.logprobs, flush=True)
        return evolve(choice, message=message, logprobs=logprobs)

    def _holder(
        self, index: int, holder: Any, logprobs: Logprobs | None, *, flush: bool
    ) -> tuple[Any, Logprobs | None]:
        """Rewrite a delta or a message, and the log probabilities beside it."""
        changed: dict[str, Any] = {}
        tokens: dict[str, Any] = {}
        for name in TEXTS:
            value = getattr(holder, name, None)
            came = value if isinstance(value, str) else ""
            pieces = self._pieces((index, name), value, flush=flush)
            if pieces is not None and (goes := joined(pieces)) != came:
                changed[name] = goes
            if is_list(value):
                changed[name] = self._parts((index, name), value, flush=flush)
            self._spell((index, name), came, pieces or [], logprobs, tokens)
        self._structures(index, holder, changed, flush=flush)
        if tokens:
            logprobs = evolve(logprobs or Logprobs(), **tokens)
        return (evolve(holder, **changed) if changed else holder), logprobs

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

    def _spell(
        self,
        key: _Key,
        came: str,
        pieces: list[Piece],
        logprobs: Logprobs | None,
        changed: dict[str, Any],
    ) -> None:
        name = key[1]
        given: list[TokenLogprob] = getattr(logprobs, name, None) or []
        if not given and key not in self._tokens:
            return
        spelling = self._tokens.get(key)
        if spelling is None:
            spelling = self._tokens[key] = Tokens()
        passed = spelling.feed(came, given, pieces)
        if passed != given:
            changed[name] = passed

    def _structures(self, index: int, holder: Any, changed: dict[str, Any], *, flush: bool) -> None:
        """Rewrite what is no plain field: tool calls, audio, details, annotations."""
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
        for name in ("reasoning_details", "annotations"):
            details: list[Any] = getattr(holder, name, None) or []
            if details or (flush and self._holds((index, name))):
                changed[name] = self._parts((index, name), details, flush=flush)

    def _tool_calls(self, index: int, holder: Any, *, flush: bool) -> list[Any] | None:
        given: list[Any] = holder.tool_calls or []
        if not isinstance(holder, Delta):
            return whole_calls(given, *self._new.values())
        if not given and not (flush and index in self._calls):
            return None
        calls = self._calls.setdefault(index, Calls(*self._new.values()))
        return calls.rewritten(given, flush=flush)

    def _holds(self, prefix: _Key) -> bool:
        return any(key[: len(prefix)] == prefix and w.held for key, w in self._windows.items())

    def _parts(self, prefix: _Key, parts: list[Any], *, flush: bool) -> list[Any]:
        """Rewrite the texts in a list of parts, each kind of text one window."""
        rewritten: list[Any] = []
        for part in parts:
            new = part
            if is_object(part):
                new = dict(part)
                for name in _PARTS:
                    if isinstance(part.get(name), str):
                        key = (*prefix, _name(part.get("index")), _name(part.get("type")), name)
                        new[name] = joined(self._pieces(key, part[name], flush=False) or [])
                    elif is_list(part.get(name)):
                        key = (*prefix, _name(part.get("type")), name)
                        new[name] = self._parts(key, part[name], flush=flush)
            rewritten.append(new)
        if flush:
            rewritten += self._held_parts(prefix)
        return rewritten

    def _held_parts(self, prefix: _Key) -> list[dict[str, Any]]:
        parts: list[dict[str, Any]] = []
        for key, window in self._windows.items():
            if key[: len(prefix)] == prefix and len(key) == len(prefix) + 3:
                index, kind, name = key[len(prefix) :]
                text = joined(window.flush())
                if text:
                    named = {"index": index, "type": kind, name: text}
                    parts.append({k: v for k, v in named.items() if v is not None})
        return parts


def _name(value: Any) -> int | str | None:
    """Return what may be part of a key: servers send anything as an index."""
    return value if isinstance(value, (int, str)) else None
