"""The rules for answers: payload to model and back, whatever the payload holds."""

from __future__ import annotations

import types
from collections.abc import Mapping
from typing import (
    TYPE_CHECKING,
    Any,
    NamedTuple,
    TypeVar,
    get_args,
    get_origin,
    get_type_hints,
)

from attrs import fields

from orq_core.models.base import NOTHING_GIVEN, Answer, kind_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from cattrs import Converter

A = TypeVar("A", bound=Answer)


class Place(NamedTuple):
    """Where a known field of an answer goes; ``kind`` is the model in it, if there is one.

    ``always``: the attribute is never None; what stayed away is an empty model or list.
    """

    name: str
    kind: type[Answer] | None
    many: bool
    always: bool


_PLACES: dict[type[Answer], tuple[Place, ...]] = {}


def places(cls: type[Answer]) -> tuple[Place, ...]:
    """List the known fields of a class."""
    known = _PLACES.get(cls)
    if known is None:
        # CallInfo never comes from the wire, and importing its module here would be a circle.
        hints = get_type_hints(cls, localns={"CallInfo": object})
        known = _PLACES[cls] = tuple(
            _place(attribute.name, hints[attribute.name])
            for attribute in fields(cls)
            if attribute.name not in {"extra", "_given"} and attribute.metadata.get("wire", True)
        )
    return known


def _place(name: str, annotation: Any) -> Place:
    choices = get_args(annotation) if isinstance(annotation, types.UnionType) else (annotation,)
    for choice in choices:
        many = get_origin(choice) is list
        kind = get_args(choice)[0] if many else choice
        if isinstance(kind, type) and issubclass(kind, Answer):
            return Place(name, kind, many, always=type(None) not in choices)
    return Place(name, None, many=False, always=False)


def structure_hook(cls: type[A], converter: Converter) -> Callable[[Any, Any], A]:
    """Make the function that reads an answer; models within it are read by the converter's."""
    known = places(cls)
    plain = frozenset(place.name for place in known if place.kind is None)
    nested = {place.name: _nested_hook(place, converter) for place in known if place.kind}
    always = {place.name: place for place in known if place.always}
    # Made only where they stay away: their factories would cost a model for each one that comes.
    blank = {place.name: place.kind for place in always.values() if not place.many and place.kind}
    nothing: dict[str, Any] = dict.fromkeys(blank)

    def structure(payload: Any, _: Any = None) -> A:
        if kind_of(payload) is not dict and _is_read(payload, cls):
            already: A = payload
            return already
        model = cls(**nothing)
        given: list[str] = []
        for name, value in payload.items():
            if name in plain:
                if value is None:
                    given.append(name)
                else:
                    setattr(model, name, value)
                continue
            hook = nested.get(name)
            if value is None and hook is not None and name not in always:
                given.append(name)
                continue
            read = None if hook is None else hook(value)
            if read is None:
                model.extra[name] = value
                continue
            setattr(model, name, read)
            if name in always and (not value or always[name].many):
                given.append(name)
        for name, kind in blank.items():
            if getattr(model, name) is None:
                setattr(model, name, kind())
        model._given = frozenset(given) if given else NOTHING_GIVEN
        return model

    return structure


def _is_read(payload: object, cls: type[Answer]) -> bool:
    """Tell a model from a mapping to be read; raise TypeError for anything else."""
    if not isinstance(payload, (cls, Mapping)):
        raise TypeError(f"{cls.__name__}: expected an object, got {type(payload).__name__}")
    return isinstance(payload, cls)


def _nested_hook(place: Place, converter: Converter) -> Callable[[Any], Any]:
    """Make the function that reads a model or a list of them; None if it is neither."""
    kind = place.kind
    hook = converter.get_structure_hook(kind)

    def one(value: Any) -> Any:
        return hook(value, kind) if kind_of(value) is dict else None

    def many(value: Any) -> Any:
        if kind_of(value) is not list:
            return None
        for each in value:
            if kind_of(each) is not dict:
                return None
        return [hook(each, kind) for each in value]

    return many if place.many else one


def answer_dict(model: Answer) -> dict[str, Any]:
    """Write an answer as it would stand in JSON; what the models hold raw is not copied."""
    given = model._given  # noqa: SLF001 - the inverse of what stands above
    out = dict(model.extra)
    for name, kind, _, always in places(type(model)):
        value = getattr(model, name)
        if value is None:
            if name in given:
                out.setdefault(name, None)
        elif kind is None:
            out[name] = value
        elif kind_of(value) is list:
            if value or not always or name in given:
                out[name] = [
                    answer_dict(each) if isinstance(each, Answer) else each for each in value
                ]
        else:
            written = answer_dict(value) if isinstance(value, Answer) else value
            if written or not always or name in given:
                out[name] = written
    return out
