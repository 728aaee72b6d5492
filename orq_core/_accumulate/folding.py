"""What adding up chunks is made of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from orq_core._json import is_list

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from orq_core.models import ChatCompletionChunk
    from orq_core.models.base import Answer

A = TypeVar("A", bound="Answer")

_STAND_IN = "*"  # in no field's name


class Text:
    """A string that grows; None until the first piece.

    Where a server sends something else than strings, the last of it counts.
    """

    __slots__ = ("_other", "_pieces")

    def __init__(self) -> None:
        """Begin with nothing."""
        self._pieces: list[str] = []
        self._other: Any = None

    def add(self, piece: Any) -> None:
        """Append."""
        if isinstance(piece, str):
            self._pieces.append(piece)
        else:
            self._other = piece

    def grower(self) -> Callable[[list[str]], None]:
        """Return what appends strings, and nothing else, at once."""
        return self._pieces.extend

    def __bool__(self) -> bool:
        return any(self._pieces) or bool(self._other)

    def value(self) -> Any:
        """Return all of it; asking again costs nothing."""
        if len(self._pieces) > 1:
            # Of what was joined before nothing is looked at again.
            added = "".join(self._pieces[1:])
            whole = self._pieces[0] + added
            self._pieces[:] = [whole if added.isascii() or _is_text(added) else _mended(whole)]
        text = self._pieces[0] if self._pieces else None
        return text or (text if self._other is None else self._other)


def _is_text(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _mended(text: str) -> str:
    """Join the halves of characters that were cut between pieces; other halves stay as they are."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")


def number(index: Any) -> Any:
    """Return the integer that an index of 1.0 means; anything else as it is."""
    return int(index) if isinstance(index, float) and index.is_integer() else index


def place(index: Any, position: int) -> int | str:
    """Tell the choices of an event apart; a server may send anything as an index."""
    index = number(index)
    return index if isinstance(index, (int, str)) else position


def first(before: Any, now: Any) -> Any:
    """Choose what identifies something: the first value that is not empty, else an empty one."""
    return before or (before if now is None else now)


def copied(value: Any) -> Any:
    """Return a new list for a list, so that it can grow; anything else as it is."""
    return list(value) if is_list(value) else value


def keep(target: dict[str, Any], extra: Mapping[str, Any]) -> None:
    """Take over unknown fields: the last value counts, but null replaces nothing."""
    for name, value in extra.items():
        if value is not None or name not in target:
            target[name] = value


def grow(target: dict[str, Any], name: str, value: Any) -> None:
    """Take over one unknown field: a list goes on with the one before, else as `keep` does."""
    earlier = target.get(name)
    if is_list(value) and is_list(earlier):
        earlier.extend(value)
    elif value is not None or name not in target:
        target[name] = copied(value)


def joined(before: frozenset[str], now: frozenset[str]) -> frozenset[str]:
    """Unite names; events share theirs, and where nothing is new nothing is made."""
    if before:
        return before if now <= before else before | now
    return now


def given_of(model: Answer) -> frozenset[str]:
    """Return the fields that arrived as null, or as an empty list."""
    return model._given  # noqa: SLF001 - users of models are not to see it, and it is this package that sums models up


def mark(model: A, given: Iterable[str]) -> A:
    """Note which of a model's empty fields arrived as null, so that `to_dict` writes them so."""
    names = (
        name
        for name in given
        if not name.endswith(_STAND_IN) and (not getattr(model, name) or name == "message")
    )
    return _noted(model, frozenset(names))


def stand_in(model: A, name: str) -> A:
    """Note that the answer behind a chunk lacks this field, which has a value to be regular."""
    return _noted(model, given_of(model) | {name + _STAND_IN})


def _noted(model: A, given: frozenset[str]) -> A:
    model._given = given  # noqa: SLF001 - users of models are not to see it, and it is this package that sums models up
    return model


def is_stand_in(model: Answer, name: str) -> bool:
    """Tell what `stand_in` noted."""
    given = given_of(model)
    return bool(given) and name + _STAND_IN in given


def stand_ins(chunk: ChatCompletionChunk) -> list[tuple[int, int]]:
    """List what `stand_in` noted in a chunk, so that it can be written beside its JSON.

    ``(-1, -1)`` is the chunk's ``object``, ``(choice, call)`` the index of a tool call.
    """
    noted = [(-1, -1)] if is_stand_in(chunk, "object") else []
    for at, choice in enumerate(chunk.choices):
        for number, call in enumerate(choice.delta.tool_calls or ()):
            if is_stand_in(call, "index"):
                noted.append((at, number))
    return noted


def mark_stand_ins(chunk: ChatCompletionChunk, noted: Iterable[tuple[int, int]]) -> None:
    """Note again what `stand_ins` listed."""
    for at, number in noted:
        if at < 0:
            stand_in(chunk, "object")
        else:
            stand_in((chunk.choices[at].delta.tool_calls or [])[number], "index")
