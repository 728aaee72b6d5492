"""The rules for requests: what was given to a model, with its types checked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar, get_type_hints

from attrs import fields

from orq_core.errors import RequestError
from orq_core.models._given import blank, finder
from orq_core.models._paths import misfit, under
from orq_core.models._plain import as_mapping
from orq_core.models._shapes import Shape, shape_of
from orq_core.models.base import UNSET, Request, kind_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from cattrs import Converter

R = TypeVar("R", bound=Request)


def structure_hook(cls: type[R], converter: Converter) -> Callable[[Any, Any], R]:
    """Make the function that reads a mapping, or an instance, into a new instance.

    Lists and models within are new too, so that what the caller changes later changes nothing here.
    """
    hints = get_type_hints(cls)
    shapes: dict[str, Shape] = {}
    required: list[str] = []
    notes: dict[str, str] = {}
    make = blank(cls)
    for attribute in fields(cls):
        name = attribute.name
        if name == "extra":
            continue
        shapes[name] = shape_of(hints[name], converter)
        if attribute.metadata.get("required"):
            required.append(name)
        if "hint" in attribute.metadata:
            notes[name] = attribute.metadata["hint"]

    def load(values: Mapping[str, Any], model: R) -> R:
        for name, value in values.items():
            if value is UNSET:
                continue
            shape = shapes.get(name)
            if shape is None:
                if not isinstance(name, str):  # pyright: ignore[reportUnnecessaryIsInstance] - callers without a type checker pass other things, which are named in the error
                    raise misfit("string keys", name)
                model.extra[name] = value
                continue
            try:
                setattr(model, name, shape.load(value))
            except RequestError as error:
                if name in notes and not error.path:
                    error.args = (f"{error}; {notes[name]}",)
                raise under(error, name) from None
        for name in required:
            if getattr(model, name) is UNSET:
                raise under(RequestError("is missing", path=""), name)
        return model

    def structure(value: Any, _: Any = None) -> R:
        if kind_of(value) is not dict and isinstance(value, Request):
            if not isinstance(value, cls):
                raise misfit(cls.__name__, value)
            kind = type(value)
            model = blank(kind)()
            model.extra = dict(value.extra)
            given = finder(kind)(value)
            for name in given.keys() - shapes.keys():
                # A field of a subclass, of which nothing more is known here.
                setattr(model, name, given[name])
            return load({name: given[name] for name in given if name in shapes}, model)
        mapping = as_mapping(value)
        if mapping is None:
            raise misfit("an object", value)
        return load(mapping, make())

    return structure
