"""The rules for answers: payload to model and back, whatever the payload holds."""

from __future__ import annotations

import types
from collections.abc import Mapping
from functools import cache
from typing import (
    TYPE_CHECKING,
    Any,
    NamedTuple,
    TypeVar,
    cast,
    get_args,
    get_origin,
    get_type_hints,
)

from attrs import fields

from orq_core.models.base import NOTHING_GIVEN, Answer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from cattrs import Converter

A = TypeVar("A", bound=Answer)


class Place(NamedTuple):
    """Where a known field of an answer goes; ``kind`` is the model in it, if there is one."""

    name: str
    kind: type[Answer] | None
    many: bool
    always_list: bool


@cache
def places(cls: type[Answer]) -> tuple[Place, ...]:
    """List the known fields of a class."""
    # CallInfo never comes from the wire, and importing its module here would be a circle.
    hints = get_type_hints(cls, localns={"CallInfo": object})
    return tuple(
        _place(attribute.name, hints[attribute.name])
        for attribute in fields(cls)
        if attribute.name not in {"extra", "_given"} and attribute.metadata.get("wire", True)
    )


def _place(name: str, annotation: Any) -> Place:
    choices = get_args(annotation) if isinstance(annotation, types.UnionType) else (annotation,)
    for choice in choices:
        many = get_origin(choice) is list
        kind = get_args(choice)[0] if many else choice
        if isinstance(kind, type) and issubclass(kind, Answer):
            return Place(name, kind, many, always_list=many and type(None) not in choices)
    return Place(name, None, many=False, always_list=False)


def structure_hook(cls: type[A], converter: Converter) -> Callable[[Any, Any], A]:
    """Make the function that reads an answer; models within it are read by the converter's."""
    known = places(cls)
    plain = frozenset(place.name for place in known if place.kind is None)
    nested = {place.name: _nested_hook(place, converter) for place in known if place.kind}
    always_lists = frozenset(place.name for place in known if place.always_list)

    def structure(payload: Any, _: Any = None) -> A:
        if type(payload) is not dict:
            if isinstance(payload, cls):
                return payload
            if not isinstance(payload, Mapping):
                raise TypeError(f"{cls.__name__}: expected an object, got {type(payload).__name__}")
        items: Iterable[tuple[str, Any]] = payload.items()
        model = cls()
        given: list[str] = []
        for name, value in items:
            if name in plain:
                if value is None:
                    given.append(name)
                else:
                    setattr(model, name, value)
                continue
            hook = nested.get(name)
            if value is None and hook is not None and name not in always_lists:
                given.append(name)
                continue
            read = None if hook is None else hook(value)
            if read is None:
                model.extra[name] = value
                continue
            setattr(model, name, read)
            if name in always_lists:
                given.append(name)
        model._given = frozenset(given) if given else NOTHING_GIVEN
        return model

    return structure


def _nested_hook(place: Place, converter: Converter) -> Callable[[Any], Any]:
    """Make the function that reads a model or a list of them; None if it is neither."""
    kind = place.kind
    hook = converter.get_structure_hook(kind)

    def one(value: Any) -> Any:
        return hook(value, kind) if isinstance(value, dict) else None

    def many(value: Any) -> Any:
        if not isinstance(value, list):
            return None
        values: list[Any] = value
        for each in values:
            if not isinstance(each, dict):
                return None
        return [hook(each, kind) for each in values]

    return many if place.many else one


def answer_dict(model: Answer) -> dict[str, Any]:
    """Write an answer as it would stand in JSON; what the models hold raw is not copied."""
    given = model._given
    out = dict(model.extra)
    for name, kind, _, always_list in places(type(model)):
        value = getattr(model, name)
        if value is None:
            if name in given:
                out.setdefault(name, None)
        elif kind is None:
            out[name] = value
        elif isinstance(value, list):
            items = cast("list[Any]", value)
            if items or not always_list or name in given:
                out[name] = [answer_dict(i) if isinstance(i, Answer) else i for i in items]
        else:
            out[name] = answer_dict(value) if isinstance(value, Answer) else value
    return out
