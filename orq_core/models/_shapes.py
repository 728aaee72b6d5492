"""What a field of a request takes, read from its annotation."""

from __future__ import annotations

import types
from collections.abc import Callable, Iterable, Mapping
from enum import Enum
from typing import TYPE_CHECKING, Any, cast, get_args, get_origin

from attrs import define, fields, has

from orq_core.errors import RequestError
from orq_core.models._paths import misfit, under
from orq_core.models._plain import as_mapping
from orq_core.models.base import Request, Unset, kind_of

if TYPE_CHECKING:
    from cattrs import Converter

_NOT_LISTS = (str, bytes, bytearray, memoryview, Mapping, set, frozenset)


@define
class Shape:
    """The kinds of value a field takes; the kinds never overlap, so one look decides."""

    anything: bool = False
    null: bool = False
    text: bool = False
    number: bool = False
    flag: bool = False
    items: Shape | None = None
    table: Shape | None = None
    model: Callable[[Any], Any] | None = None
    expected: str = ""

    def load(self, value: Any) -> Any:
        """Return the value as the field holds it; raise RequestError if it doesn't fit."""
        kind = kind_of(value)
        if self.anything or (self.text and kind is str):
            return value
        if kind is list or kind is dict:
            return self._load_container(value)
        if isinstance(value, Enum):
            value = value.value
        if value is None:
            fits = self.null
        elif isinstance(value, str):
            fits = self.text
            value = str.__str__(value)
        elif isinstance(value, bool):
            fits = self.flag
        elif isinstance(value, int):
            fits = self.number
            value = int(value)
        elif isinstance(value, float):
            fits = self.number
            value = float(value)
        else:
            return self._load_container(value)
        if not fits:
            raise misfit(self.expected, value)
        return value

    def _load_container(self, value: Any) -> Any:
        if self.items is not None and _is_list(value):
            return self._load_items(value, self.items)
        if self.model is not None and (kind_of(value) is dict or isinstance(value, Request)):
            return self.model(value)
        mapping = as_mapping(value)
        if mapping is None:
            raise misfit(self.expected, value)
        if self.model is not None:
            return self.model(mapping)
        if self.table is None:
            raise misfit(self.expected, value)
        return self._load_table(mapping, self.table)

    def _load_items(self, values: Iterable[Any], shape: Shape) -> list[Any]:
        loaded: list[Any] = []
        for index, value in enumerate(values):
            try:
                loaded.append(shape.load(value))
            except RequestError as error:
                raise under(error, index) from None
        return loaded

    def _load_table(self, values: Mapping[str, Any], shape: Shape) -> dict[str, Any]:
        loaded: dict[str, Any] = {}
        for key, value in values.items():
            try:
                loaded[key] = shape.load(value)
            except RequestError as error:
                raise under(error, str(key)) from None
        return loaded


def _is_list(value: Any) -> bool:
    if isinstance(value, list):
        return True
    # Models of other libraries may be iterable, and are objects all the same.
    is_object = hasattr(value, "model_dump") or has(kind_of(value))
    return isinstance(value, Iterable) and not isinstance(value, _NOT_LISTS) and not is_object


def shape_of(annotation: Any, converter: Converter) -> Shape:
    """Read an annotation: a union of scalars, at most one list, and one mapping or models."""
    shape = Shape()
    models: list[type[Request]] = []
    is_union = isinstance(annotation, types.UnionType)
    expected: list[str] = []
    for choice in get_args(annotation) if is_union else (annotation,):
        origin = get_origin(choice)
        if choice is Any:
            shape.anything = True
        elif choice is type(None):
            shape.null = True
        elif choice is str:
            shape.text = True
            expected.append("a string")
        elif choice is bool:
            shape.flag = True
            expected.append("true or false")
        elif choice in {int, float}:
            shape.number = True
            expected.append("a number")
        elif origin is list:
            shape.items = shape_of(get_args(choice)[0], converter)
            expected.append("a list")
        elif origin is dict:
            shape.table = shape_of(get_args(choice)[1], converter)
            expected.append("an object")
        elif choice is not Unset:
            models.append(cast("type[Request]", choice))
    if models:
        shape.model = _chooser(models, converter)
        expected.append("an object")
    shape.expected = " or ".join(expected)
    return shape


def _chooser(models: list[type[Request]], converter: Converter) -> Callable[[Any], Any]:
    """Make the function that picks the model by its tag: the first field of each class."""
    hooks = {model: converter.get_structure_hook(model) for model in models}
    *_, last = models
    if len(models) == 1:
        return lambda value: hooks[last](value, last)
    first = [(model, fields(model)[1]) for model in models]
    tag = first[0][1].name
    tagged = {attribute.default: model for model, attribute in first}

    def choose(value: Any) -> Any:
        if isinstance(value, Request):
            if not isinstance(value, tuple(models)):
                raise misfit("a model for this place", value)
            kind = type(value)
            return (hooks.get(kind) or converter.get_structure_hook(kind))(value, kind)
        name = value.get(tag)
        name = name.value if isinstance(name, Enum) else name
        kind = tagged.get(name, last) if isinstance(name, str) else last
        return hooks[kind](value, kind)

    return choose
