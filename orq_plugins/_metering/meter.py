"""How many tokens an answer took: what the server says, else what has arrived."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Literal, cast

from attrs import define, evolve

from orq_core import (
    APIStatusError,
    APITimeoutError,
    ChatCompletion,
    ConnectError,
    PluginError,
    RequestError,
)
from orq_plugins._metering.tokens import BYTES_PER_TOKEN

if TYPE_CHECKING:
    from orq_core import Call, Item
    from orq_core.models import Usage

Source = Literal["server", "estimated", "none"]

_TEXTS = ("reasoning", "reasoning_content", "refusal")


@define(frozen=True)
class Tokens:
    """What one attempt took. ``cached`` ones are part of ``prompt``.

    ``source``: "server" when its usage says so, "estimated" from what was sent and has arrived,
    "none" when the server made no answer. ``cost`` is the server's own, None when it told none.
    ``is_cut``: the answer ended early, and more had arrived than the server had counted.
    """

    prompt: int = 0
    completion: int = 0
    cached: int = 0
    total: int = 0
    source: Source = "none"
    cost: float | None = None
    is_cut: bool = False


class Meter:
    """Sees the items of one attempt."""

    __slots__ = ("_characters", "_counted", "_prompt", "_usage")

    def __init__(self, prompt: int) -> None:
        """Begin with an estimate of the prompt's tokens."""
        self._prompt = prompt
        self._characters = 0
        self._counted = 0  # characters up to the last usage
        self._usage: Usage | None = None

    def item(self, item: Item) -> None:
        """See one item."""
        said_in = "message" if isinstance(item, ChatCompletion) else "delta"
        for choice in item.choices:
            said: Any = getattr(choice, said_in, None)
            content: Any = getattr(said, "content", None)
            if isinstance(content, str):
                self._characters += len(content)
            if not content or said_in == "message":
                self._rest(said)
        if item.usage is not None:
            self._usage, self._counted = item.usage, self._characters

    def _rest(self, said: Any) -> None:
        for name in _TEXTS:
            text = getattr(said, name, None)
            if isinstance(text, str):
                self._characters += len(text)
        for call in getattr(said, "tool_calls", None) or ():
            arguments = getattr(getattr(call, "function", None), "arguments", None)
            self._characters += len(arguments) if isinstance(arguments, str) else 0

    def unseen(self, size: int) -> None:
        """Take note of an answer of so many bytes, in case that no item of it was seen."""
        if self._usage is None:
            self._characters = max(self._characters, size)

    def tokens(self) -> Tokens:
        """Return what the attempt took so far."""
        arrived = math.ceil(self._characters / BYTES_PER_TOKEN)
        usage: Any = self._usage
        told = [_count(getattr(usage, name, None)) for name in ("prompt_tokens", "total_tokens")]
        prompt, total = told
        completion = _count(getattr(usage, "completion_tokens", None))
        if completion is None and prompt is not None and total is not None:
            completion = max(0, total - prompt)
        if prompt is None and completion is not None and total is not None:
            prompt = max(0, total - completion)
        known = total is not None or completion is not None
        prompt = self._prompt if prompt is None else prompt
        completion = arrived if completion is None else completion
        details: Any = getattr(usage, "prompt_tokens_details", None)
        return Tokens(
            prompt=prompt,
            completion=completion,
            cached=min(prompt, _count(getattr(details, "cached_tokens", None)) or 0),
            total=prompt + completion if total is None else total,
            source="server" if known else "estimated",
            cost=_cost(getattr(usage, "extra", None)),
        )

    def interrupted(self) -> Tokens:
        """Return what the attempt took if it ended early: its usage may have been a running one."""
        tokens = self.tokens()
        arrived = math.ceil(self._characters / BYTES_PER_TOKEN)
        if self._characters == self._counted or arrived <= tokens.completion:
            return tokens
        total = max(tokens.total, tokens.prompt + arrived)
        return evolve(tokens, completion=arrived, total=total, source="estimated", is_cut=True)


def consumed(call: Call, meter: Meter, error: BaseException | None, begun_before: int) -> Tokens:
    """Return what an attempt took that ended so; ``begun_before`` counts the attempts before it.

    Nothing, when it was not sent or a status refused it. An attempt of which the server may be at
    work still counts with its prompt and what has arrived.
    """
    # Another plugin has kept back a whole answer, which is paid all the same. Of a stream the
    # bytes would say little: most of them are around the text.
    if isinstance(error, PluginError) and not call.stream:
        meter.unseen(call.info.bytes_received)
    refused = isinstance(error, (APIStatusError, RequestError))
    tokens = meter.tokens()
    if tokens.source != "server" and (refused or never_arrived(call, error, begun_before)):
        return Tokens()
    return tokens if error is None else meter.interrupted()


def never_arrived(call: Call, error: BaseException | None, begun_before: int) -> bool:
    """Tell whether the server has not even seen an attempt."""
    if isinstance(error, APITimeoutError):
        return error.kind == "connect"
    return isinstance(error, ConnectError) or call.info.attempts_begun == begun_before


def _count(value: Any) -> int | None:
    fits = isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**53
    return value if fits else None


def _cost(extra: Any) -> float | None:
    """Read ``usage.cost``, as gateways write it: a number, or one in quotes."""
    value = cast("dict[str, Any]", extra or {}).get("cost")
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        cost = float(value)
    except ValueError:
        return None
    return cost if 0 <= cost < 2**53 else None
