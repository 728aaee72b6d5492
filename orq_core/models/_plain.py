"""From models and mappings to what JSON can hold, and nothing else."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import fields as dataclass_fields
from dataclasses import is_dataclass
from enum import Enum
from operator import attrgetter
from typing import TYPE_CHECKING, Any, cast

from attrs import fields, has

from orq_core._json import is_list, is_object
from orq_core.errors import RequestError
from orq_core.models._answering import answer_dict
from orq_core.models._given import finder
from orq_core.models._paths import misfit, under
from orq_core.models._sent_back import sent_back
from orq_core.models.base import UNSET, Answer, Request, kind_of
from orq_core.models.completion import Message

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cattrs import Converter

_DEEPEST = 200
_MOST_BITS = 14_000  # a little less than the 4300 digits that Python prints


def as_mapping(value: Any) -> Mapping[str, Any] | None:
    """Return a mapping's or an object's fields by name, None for anything else.

    Objects are answers, instances of dataclasses and attrs classes, and what has a ``model_dump``;
    request models are not: each field takes its own ones only. Of a ``model_dump``, fields that
    were not set count if their default is not None.
    """
    if kind_of(value) is dict or isinstance(value, Mapping):
        return cast("Mapping[str, Any]", value)
    if isinstance(value, Answer):
        return sent_back(value) if isinstance(value, Message) else answer_dict(value)
    kind = kind_of(value)
    if hasattr(kind, "model_dump"):
        return _dumped(value)
    if is_dataclass(kind):
        return {each.name: getattr(value, each.name) for each in dataclass_fields(kind)}
    if has(kind) and not isinstance(value, Request):
        return {each.name: getattr(value, each.name) for each in fields(kind)}
    return None


def _dumped(value: Any) -> Mapping[str, Any] | None:
    """Return the fields of a model of pydantic, by the names that it has on the wire.

    Classes of requests say by a default what a thing is. Classes of answers have None for whatever
    did not arrive, which servers refuse when an answer is sent back.
    """
    whole = value.model_dump(by_alias=True)
    given = value.model_dump(by_alias=True, exclude_unset=True)
    # That of a root model may be a list.
    return _without_unset(whole, given) if is_object(whole) else None


def _without_unset(whole: Any, given: Any) -> Any:
    """Leave out what is None and was not given, in what lies within too."""
    if is_object(whole) and is_object(given):
        return {
            name: _without_unset(value, given[name]) if name in given else value
            for name, value in whole.items()
            if value is not None or name in given
        }
    if is_list(whole) and is_list(given) and len(whole) == len(given):
        return [*map(_without_unset, whole, given)]
    return whole


class Plain:
    """Writes values as JSON data; what a plugin's converter knows goes through its hooks."""

    def __init__(self, converter: Converter) -> None:
        """Use a converter for what this module doesn't know."""
        self._converter = converter
        self._own: set[type[Any]] = set()

    def model(self, model: Request, depth: int = 0) -> dict[str, Any]:
        """Write a request model; ``extra`` replaces fields of the same name."""
        given = finder(kind_of(model))(model)
        return self._table({**given, **model.extra} if model.extra else given, depth)

    def value(self, value: Any, depth: int = 0) -> Any:
        """Write any value; raise RequestError, with the path within it, for what JSON lacks."""
        kind = kind_of(value)
        write = _SCALARS.get(kind)
        if write is not None:
            return write(value)
        if depth >= _DEEPEST:
            raise RequestError(f"nested deeper than {_DEEPEST} levels, or contains itself", path="")
        if kind is dict:
            return self._table(value, depth)
        if kind is list or kind is tuple:
            return self._items(value, depth)
        if kind in self._own:
            return self.model(value, depth)
        return self._other(value, depth)

    def _other(self, value: Any, depth: int) -> Any:
        if value is UNSET:
            raise RequestError("UNSET can't stand in a list or for a whole value", path="")
        for base, narrow in _SUBCLASSES:
            if isinstance(value, base):
                return self.value(narrow(value), depth + 1)
        if isinstance(value, Request):
            hook = self._converter.get_unstructure_hook(type(value))
            if not isinstance(getattr(hook, "__self__", None), Plain):
                return self.value(hook(value), depth + 1)
            self._own.add(type(value))
            return self.model(value, depth)
        if not issubclass(kind_of(value), Mapping):
            written = self._converter.unstructure(value)
            if type(written) is not type(value):
                return self.value(written, depth + 1)
        mapping = as_mapping(value)
        if mapping is None:
            raise misfit("a value that JSON can hold", value)
        return self._table(mapping, depth)

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
            if kind_of(value) is str and kind_of(key) is str and key.isascii() and value.isascii():
                # What nearly all keys and values are.
                out[key] = value
                continue
            if not isinstance(key, str):  # pyright: ignore[reportUnnecessaryIsInstance] - callers without a type checker pass other things, which are named in the error
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


def _as_is(value: Any) -> Any:
    return value


_SCALARS: dict[type[Any], Callable[[Any], Any]] = {
    str: _text,
    int: _integer,
    float: _real,
    bool: _as_is,
    type(None): _as_is,
}

# What stands for a value of a plainer type; subclasses may override how they print.
_SUBCLASSES: tuple[tuple[type[Any] | tuple[type[Any], ...], Callable[[Any], Any]], ...] = (
    (Enum, attrgetter("value")),
    (str, str.__str__),
    (int, int),
    (float, float),
    ((list, tuple), list[Any]),
)
