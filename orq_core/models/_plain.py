"""From models and mappings to what JSON can hold, and nothing else."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import is_dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any, cast

from attrs import fields, has

from orq_core.errors import RequestError
from orq_core.models._answering import answer_dict
from orq_core.models._paths import misfit, under
from orq_core.models.base import UNSET, Answer, Request
from orq_core.models.completion import Message

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cattrs import Converter

_DEEPEST = 200
_MOST_BITS = 14_000  # a little less than the 4300 digits that Python prints
_NULLABLE = frozenset({"content", "refusal", "audio"})


def sent_back(message: Message) -> dict[str, Any]:
    """Write an answered message as one that may be sent.

    Nulls are left out where requests may not have them; sound is named by its id.
    """
    out = {k: v for k, v in answer_dict(message).items() if v is not None or k in _NULLABLE}
    out.setdefault("role", "assistant")
    if message.audio is not None and message.audio.id:
        out["audio"] = {"id": message.audio.id}
    return out


def as_mapping(value: Any) -> Mapping[str, Any] | None:
    """Return a mapping's or an object's fields by name, None for anything else."""
    if isinstance(value, Mapping):
        return cast("Mapping[str, Any]", value)
    if isinstance(value, type):
        return None
    if isinstance(value, Message):
        return sent_back(value)
    if isinstance(value, Answer):
        return answer_dict(value)
    dump = getattr(value, "model_dump", None)
    if callable(dump):
        return cast("Mapping[str, Any]", dump(exclude_unset=True))
    return None


class Plain:
    """Writes values as JSON data; what a plugin's converter knows goes through its hooks."""

    def __init__(self, converter: Converter) -> None:
        """Use a converter for what this module doesn't know."""
        self._converter = converter

    def model(self, model: Request, depth: int = 0) -> dict[str, Any]:
        """Write a request model; ``extra`` replaces fields of the same name."""
        values = {
            attribute.name: getattr(model, attribute.name)
            for attribute in fields(type(model))
            if attribute.name != "extra"
        }
        values.update(model.extra)
        return self._table(values, depth)

    def value(self, value: Any, depth: int = 0) -> Any:
        """Write any value; raise RequestError, with the path within it, for what JSON lacks."""
        kind = type(value)
        if kind is str:
            return _text(value)
        if value is None or kind is bool:
            return value
        if kind is int:
            return _integer(value)
        if kind is float:
            return _real(value)
        if depth >= _DEEPEST:
            raise RequestError(f"nested deeper than {_DEEPEST} levels, or contains itself", path="")
        if kind is list or kind is tuple:
            return self._items(value, depth)
        if kind is dict:
            return self._table(value, depth)
        return self._other(value, depth)

    def _other(self, value: Any, depth: int) -> Any:
        if value is UNSET:
            raise RequestError("UNSET can't stand in a list or for a whole value", path="")
        if isinstance(value, Enum):
            return self.value(value.value, depth + 1)
        if isinstance(value, str):
            return _text(str.__str__(value))
        if isinstance(value, int):
            return _integer(int(value))
        if isinstance(value, float):
            return _real(float(value))
        if isinstance(value, (list, tuple)):
            return self._items(cast("Iterable[Any]", value), depth)
        if isinstance(value, Request):
            hook = self._converter.get_unstructure_hook(type(value))
            own = isinstance(getattr(hook, "__self__", None), Plain)
            return self.model(value, depth) if own else self.value(hook(value), depth + 1)
        mapping = as_mapping(value)
        if mapping is not None:
            return self._table(mapping, depth)
        if has(type(value)) or (is_dataclass(value) and not isinstance(value, type)):
            return self.value(self._converter.unstructure(value), depth + 1)
        written = self._converter.unstructure(value)
        if type(written) is type(value):
            raise misfit("a value that JSON can hold", value)
        return self.value(written, depth + 1)

    def _items(self, values: Iterable[Any], depth: int) -> list[Any]:
        out: list[Any] = []
        for index, value in enumerate(values):
            try:
                out.append(self.value(value, depth + 1))
            except RequestError as error:
                raise under(error, index) from None
        return out

    def _table(self, values: Mapping[str, Any], depth: int) -> dict[str, Any]:
        out: dict[str, Any] = {}
        for key, value in values.items():
            if value is UNSET:
                continue
            if not isinstance(key, str):  # pyright: ignore[reportUnnecessaryIsInstance]
                raise misfit("string keys", key)
            try:
                out[_text(str.__str__(key))] = self.value(value, depth + 1)
            except RequestError as error:
                raise under(error, key) from None
        return out


def _text(value: str) -> str:
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise RequestError(
                "the string holds half of a surrogate pair, which UTF-8 can't encode", path=""
            ) from None
    return value


def _integer(value: int) -> int:
    if value.bit_length() > _MOST_BITS:
        raise RequestError("the integer has more digits than can be written", path="")
    return value


def _real(value: float) -> float:
    if not math.isfinite(value):
        raise RequestError("NaN and infinities can't be written in JSON", path="")
    return value
