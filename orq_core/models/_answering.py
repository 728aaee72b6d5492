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

from orq_core.models._generated import is_generated, reader, writer
from orq_core.models.base import Answer, kind_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from cattrs import Converter

A = TypeVar("A", bound=Answer)

_DICT = frozenset({dict})
_MOST_SETS = 256  # of names that models of one class share; a server may send any


class Place(NamedTuple):
    """Where a known field of an answer goes; ``kind`` is the model in it, if there is one.

    ``always``: the attribute is never None; what stayed away is an empty model or list. ``later``:
    the model can read it when it is asked for.
    """

    name: str
    kind: type[Answer] | None
    many: bool
    always: bool
    later: bool


_PLACES: dict[type[Answer], tuple[Place, ...]] = {}


def places(cls: type[Answer]) -> tuple[Place, ...]:
    """List the known fields of a class."""
    known = _PLACES.get(cls)
    if known is None:
        # CallInfo never comes from the wire, and importing its module here would be a circle.
        hints = get_type_hints(cls, localns={"CallInfo": object})
        known = _PLACES[cls] = tuple(
            _place(attribute.name, hints[attribute.name], later="later" in attribute.metadata)
            for attribute in fields(cls)
            if attribute.name not in {"extra", "_given"} and attribute.metadata.get("wire", True)
        )
    return known


def _place(name: str, annotation: Any, *, later: bool) -> Place:
    choices = get_args(annotation) if isinstance(annotation, types.UnionType) else (annotation,)
    for choice in choices:
        many = get_origin(choice) is list
        kind = get_args(choice)[0] if many else choice
        if isinstance(kind, type) and issubclass(kind, Answer):
            return Place(name, kind, many, always=type(None) not in choices, later=later)
    return Place(name, None, many=False, always=False, later=False)


def structure_hook(cls: type[A], converter: Converter) -> Callable[[Any, Any], A]:
    """Make the function that reads an answer; models within it are read by the converter's."""
    known = places(cls)
    nested = {place.name: _nested_hook(place, converter) for place in known if place.kind}
    many = {place.name for place in known if place.many}
    always = {place.name: place for place in known if place.always}
    nullable = {place.name for place in known} - set(always)
    # Of the fields that are always there, a list counts as given however it arrived.
    lists = frozenset(name for name, place in always.items() if place.many)
    sets: dict[tuple[str, ...], frozenset[str]] = {}

    def share(names: tuple[str, ...]) -> frozenset[str]:
        if len(sets) >= _MOST_SETS:
            sets.clear()
        return sets.setdefault(names, frozenset(names))

    def finish(model: Any, payload: Any, unread: tuple[str, ...], read: int) -> None:
        """Note what the fields alone do not tell: unknown ones, null ones, empty ones."""
        nulls = tuple([name for name, value in payload.items() if value is None])
        if read + len(nulls) == len(payload) and nullable.issuperset(nulls):
            # What most answers have, and nothing else.
            model._given = sets.get(nulls) or share(nulls)  # noqa: SLF001 - private to users of models, not to this module, which reads and writes them
            return
        given: list[str] = []
        for name, value in payload.items():
            if value is None and name in nullable:
                given.append(name)
            elif value is None or name in unread or not (name in nullable or name in always):
                model.extra[name] = value
                readable = _objects(value) if name in many else []
                if readable:
                    setattr(model, name, nested[name](readable))
                    given += [name] if name in lists else []
            elif name in always and (not value or name in lists):
                given.append(name)
        names = tuple(given)
        model._given = sets.get(names) or share(names)  # noqa: SLF001 - private to users of models, not to this module, which reads and writes them

    return reader(
        cls,
        plain=[place.name for place in known if place.kind is None],
        nested=nested,
        later=[each.name for each in known if each.later and _as_written(each.kind, converter)],
        always={name: list if place.many else _kind(place) for name, place in always.items()},
        finish=finish,
        is_read=_is_read,
    )


def _as_written(kind: type[Answer] | None, converter: Converter) -> bool:
    """Tell whether nobody's hooks have a say in a model: errors of theirs must not come later."""
    return kind is None or (
        is_generated(converter.get_structure_hook(kind))
        and all(_as_written(place.kind, converter) for place in places(kind))
    )


def _kind(place: Place) -> type[Answer]:
    assert place.kind is not None  # noqa: S101 - tells type checkers: the callers ask only for fields that hold a model
    return place.kind


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
        if kind_of(value) is not list or {*map(kind_of, value)} - _DICT:
            return None
        return [hook(each, kind) for each in value]

    return many if place.many else one


def answer_dict(model: Answer) -> dict[str, Any]:
    """Write an answer as it would stand in JSON; what the models hold raw is not copied."""
    kind = type(model)
    write = _WRITERS.get(kind)
    if write is None:
        known = {each.name: each.always if each.kind else None for each in places(kind)}
        many = {each.name for each in places(kind) if each.many}
        write = _WRITERS[kind] = writer(known, many, _written, _whole)
    return write(model)


_WRITERS: dict[type[Answer], Callable[[Any], dict[str, Any]]] = {}


def _written(value: Any) -> Any:
    """Write what stands in a field for models; a plugin may have put anything there."""
    if isinstance(value, Answer):
        return answer_dict(value)
    if kind_of(value) is list:
        return [answer_dict(each) if isinstance(each, Answer) else each for each in value]
    return value


def _whole(out: dict[str, Any], name: str, now: Any) -> Any:
    """Return the list that came, with what is no object in it, while its objects are the same."""
    raw = out[name]
    objects = _objects(raw)
    if not objects:
        return now
    if objects == _written(now):
        return raw
    # They were read, and changed since.
    del out[name]
    return now


def _objects(value: Any) -> list[Any]:
    return [each for each in value if kind_of(each) is dict] if kind_of(value) is list else []
