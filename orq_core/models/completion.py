"""A whole answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from attrs import define, field

from orq_core.models.base import Answer
from orq_core.models.logprobs import Logprobs
from orq_core.models.usage import Usage

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from typing import SupportsIndex

    from orq_core.call import CallInfo


def text_of(content: object) -> str:
    """Return the text in a content: the string itself, or its text parts joined.

    Parts of other types, reasoning among them, and contents of any other shape count as no text.
    """
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return ""
    texts: list[str] = []
    for part in cast("list[object]", content):
        if isinstance(part, dict):
            fields = cast("dict[str, object]", part)
            text = fields.get("text")
            if fields.get("type") == "text" and isinstance(text, str):
                texts.append(text)
    return "".join(texts)


@define(kw_only=True)
class FunctionCall(Answer):
    """The function to call; ``arguments`` is JSON as the model wrote it, so it may be invalid."""

    name: str | None = None
    arguments: str | None = None


@define(kw_only=True)
class ToolCall(Answer):
    """A call of a tool; of a tool that is no function, ``extra`` holds the particulars."""

    index: int | None = None
    id: str | None = None
    type: str | None = None
    function: FunctionCall | None = None
    thought_signature: str | None = None
    extra_content: dict[str, Any] | None = None


@define(kw_only=True)
class Audio(Answer):
    """Spoken output: ``data`` in base64, ``expires_at`` in seconds since 1970."""

    id: str | None = None
    expires_at: int | None = None
    data: str | None = None
    transcript: str | None = None


@define(kw_only=True)
class Message(Answer):
    """What the model says. It may be appended to the messages of the next request as it is.

    ``content`` is a string by contract, but holds whatever a provider sent: some send a list of
    parts, or an object. `text_of` makes a string of any of them.
    """

    role: str | None = None
    content: str | None = None
    refusal: str | None = None
    tool_calls: list[ToolCall] | None = None
    function_call: FunctionCall | None = None
    reasoning: str | None = None
    reasoning_content: str | None = None
    reasoning_signature: str | None = None
    reasoning_details: list[dict[str, Any]] | None = None
    redacted_reasoning: str | None = None
    audio: Audio | None = None
    annotations: list[dict[str, Any]] | None = None
    name: str | None = None


def _read_later(model: Any, name: str, field_name: str) -> Any:
    """Read the one field of a model that was left for later, if it is the one asked for."""
    later = model._later if name == field_name else None  # noqa: SLF001 - of the classes in this module, whose `__getattribute__` calls this function
    if later is not None:
        read, payload = later
        setattr(model, name, read(payload))
        model._later = None  # noqa: SLF001 - of the classes in this module, whose `__getattribute__` calls this function
    # Unset, or set meanwhile by another thread.
    return object.__getattribute__(model, name)


@define(kw_only=True)
class Choice(Answer):
    """One of the answers asked for with ``n``; ``finish_reason`` may be any string."""

    index: int | None = None
    finish_reason: str | None = None
    message: Message = field(factory=Message)
    logprobs: Logprobs | None = field(default=None, metadata={"later": True})
    # How to read ``logprobs``, and what it is read from, until somebody asks for it.
    _later: Any = field(default=None, init=False, repr=False, eq=False, metadata={"wire": False})

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            """Read what most callers never ask for: in a large answer it costs most of the time."""
            return _read_later(self, name, "logprobs")

    def __reduce_ex__(self, protocol: SupportsIndex) -> str | tuple[Any, ...]:
        """Read what was left for later: how to read it can't be pickled."""
        _ = self.logprobs
        # Set before it was read, the field was never asked for.
        self._later = None
        return super().__reduce_ex__(protocol)


@define(kw_only=True)
class ChatCompletion(Answer):
    """A whole answer; ``info`` is what is known of the call beside it, and never on the wire.

    Iterating, by ``for`` or ``async for``, yields the completion itself once, so that a loop over
    events reads it as well.
    """

    id: str | None = None
    object: str | None = None
    created: int | None = None
    model: str | None = None
    choices: list[Choice] = field(factory=list[Choice])
    usage: Usage | None = field(default=None, metadata={"later": True})
    system_fingerprint: str | None = None
    service_tier: str | None = None
    # As in `Choice`.
    _later: Any = field(default=None, init=False, repr=False, eq=False, metadata={"wire": False})
    _info: CallInfo | None = field(
        default=None, alias="_info", eq=False, repr=False, metadata={"wire": False}
    )
    _given: frozenset[str] = field(
        default=frozenset({"choices"}), alias="_given", repr=False, eq=False
    )

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            """Read what most callers never ask for."""
            return _read_later(self, name, "usage")

    def __reduce_ex__(self, protocol: SupportsIndex) -> str | tuple[Any, ...]:
        """As in `Choice`."""
        _ = self.usage
        self._later = None
        return super().__reduce_ex__(protocol)

    @property
    def info(self) -> CallInfo:
        """What is known of the call; of a completion that no call returned, nothing."""
        if self._info is None:
            from orq_core.call import CallInfo  # noqa: PLC0415 - that module imports this one, so neither could be loaded first

            self._info = CallInfo()
        return self._info

    @info.setter
    def info(self, info: CallInfo) -> None:
        self._info = info

    @property
    def text(self) -> str:
        """The text of the first choice; empty if there is none."""
        return text_of(self.choices[0].message.content) if self.choices else ""

    @property
    def data(self) -> ChatCompletion:
        """The completion itself: what code that reads events of the seed looks for."""
        return self

    def __iter__(self) -> Iterator[ChatCompletion]:
        yield self

    async def __aiter__(self) -> AsyncIterator[ChatCompletion]:
        yield self
