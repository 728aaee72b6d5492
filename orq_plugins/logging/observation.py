"""What is seen of one call, and the fields that are made of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from orq_core import APIStatusError, APIStreamError, ChatCompletionChunk

if TYPE_CHECKING:
    from orq_core import Call, Item
    from orq_core.layers import Outcome
    from orq_core.models import ChatCompletionRequest, Usage
    from orq_plugins.logging.content import Content

_TOLD = (APIStatusError, APIStreamError)
_KEPT = 100_000  # characters of an answer that are kept to be logged


class Observation:
    """Counts and times one call, an item at a time."""

    def __init__(self, call: Call, content: Content) -> None:
        """Begin now; ``content`` is what will be told of the texts."""
        self.events = 0
        self.seconds = 0.0
        self.plugin_seconds = 0.0
        self.text: list[str] = []
        self.characters = 0
        self._call = call
        self._began = call.now()
        self._waited = call.info.waited
        self._pulled = 0.0
        self._first: float | None = None
        self._first_text: float | None = None
        self._model: str | None = None
        self._finish: str | None = None
        self._usage: Usage | None = None
        self._counts_text = content != "off"
        self._keeps_text = content in {"redacted", "full"}

    def item(self, item: Item, seconds: float) -> None:
        """Take an item that took so long to arrive."""
        self.events += 1
        self._pulled += seconds
        if self._first is None:
            self._first = self._call.now() - self._began
            self._model = item.model
        if item.usage is not None:
            self._usage = item.usage
        if self._finish is None:
            for choice in item.choices:
                if choice.finish_reason:
                    self._finish = choice.finish_reason
                    break
        if (self._counts_text or self._first_text is None) and (text := item.text):
            self.characters += len(text)
            if self._first_text is None:
                self._first_text = self._call.now() - self._began
                self._model = self._model or item.model
            room = _KEPT - self.characters + len(text)
            if self._keeps_text and room > 0:
                self.text.append(text[:room])
        if not isinstance(item, ChatCompletionChunk):
            self._model = item.model

    def end(self) -> None:
        """Note how long it took."""
        self.seconds = self._call.now() - self._began
        waited = self._call.info.waited - self._waited
        self.plugin_seconds = max(0.0, self._pulled - waited)

    def fields(
        self, request: ChatCompletionRequest, outcome: Outcome, error: BaseException | None
    ) -> dict[str, Any]:
        """Return what is logged of the call, without content."""
        info, usage = self._call.info, self._usage
        details = usage.completion_tokens_details if usage else None
        cached = usage.prompt_tokens_details if usage else None
        output = usage.completion_tokens if usage else None
        failed = error is not None and outcome != "closed_early"
        return {
            "call_id": self._call.id,
            "request_id": info.request_id,
            "trace_id": info.trace_id,
            "model_asked": request.model or None,
            "model_answered": self._model,
            "stream": self._call.stream,
            # A stream that is left is told before its attempt is over.
            "attempts": info.attempts_begun,
            "status": info.status,
            "outcome": outcome,
            "finish_reason": self._finish,
            "error_type": type(error).__name__ if failed else None,
            # Of other exceptions, `sys.exit` for one, it may be anything.
            "error_code": error.code if isinstance(error, _TOLD) else None,
            "cache": info.notes.get("caching", {}).get("result"),
            "redactions": _sum(info.notes.get("redaction", {})),
            "latency_ms": in_ms(self.seconds),
            "ttfb_ms": in_ms(self._first),
            "ttft_ms": in_ms(self._first_text),
            "tokens_per_s": _rate(output, self.seconds, self._first),
            "events": self.events,
            "bytes": info.bytes_received,
            "input_tokens": usage.prompt_tokens if usage else None,
            "output_tokens": output,
            "reasoning_tokens": details.reasoning_tokens if details else None,
            "cached_tokens": cached.cached_tokens if cached else None,
            "plugin_ms": in_ms(self.plugin_seconds),
        }


def _sum(note: dict[str, Any]) -> int:
    """Count the redactions of both directions."""
    sides = (note.get("request", {}), note.get("answer", {}))
    return sum(n for side in sides for actions in side.values() for n in actions.values())


def _rate(tokens: object, seconds: float, first: float | None) -> float | None:
    """Return the output tokens per second since the first item came."""
    spent = seconds - (first or 0.0)
    if not isinstance(tokens, int) or spent <= 0:
        return None
    return round(tokens / spent, 1)


def in_ms(seconds: float | None) -> float | None:
    """Return milliseconds, to the microsecond."""
    return None if seconds is None else round(seconds * 1000, 3)
