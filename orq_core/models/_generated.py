"""Functions written out for one class of answers, field by field.

A loop over a class's fields looks each of them up again for each object that is read or copied.
Written out, token probabilities are read in a third of the time, an event in three quarters
(``python -m tests.benchmarks.decoding``). Only names of attributes go into the source; everything
else is handed over by reference.
"""

from __future__ import annotations

from functools import cache
from operator import is_
from typing import TYPE_CHECKING, Any, get_origin
from weakref import WeakSet

from attrs import NOTHING, Attribute, fields

from orq_core.models.base import kind_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from orq_core.models.base import Answer
_LITERALS: dict[Any, str] = {dict: "{}", list: "[]"}
_ours: WeakSet[Any] = WeakSet()


def reader(
    cls: type[Answer],
    plain: Collection[str],
    nested: Mapping[str, Callable[[Any], Any]],
    always: Mapping[str, Callable[[], Any]],
    later: Collection[str],
    finish: Callable[[Any, Any, tuple[str, ...], int], None],
    is_read: Callable[[Any, type[Answer]], bool],
) -> Callable[[Any, Any], Any]:
    """Write the function that makes a model of a payload, in the form of a converter's hook.

    ``plain``: fields taken as they are. ``nested``: what reads a field, and returns None for what
    it can't. ``always``: those of them that are never None, with what makes an empty one.
    ``later``: those of them that the model reads itself when it is asked for them.
    ``finish`` is called with the model, the payload, the fields that could not be read and the
    number of those that were (-1 if one of ``always`` is empty), unless that was every key.
    ``is_read`` is asked about a payload that is no dict: a model is returned as it is.
    """
    names: dict[str, Any] = {
        "new": cls.__new__,
        "cls": cls,
        "finish": finish,
        "is_read": is_read,
        "kind_of": kind_of,
    }
    lines = [
        "if kind_of(payload) is not dict and is_read(payload, cls): return payload",
        "model = new(cls)",
        "get = payload.get",
        "unread = ()",
        "whole = True",
    ]
    counted: list[str] = []
    for number, attribute in enumerate(fields(cls)):
        name = attribute.name
        made = _default(attribute, number, names)
        if name in plain:
            lines.append(f"model.{name} = v{number} = get({name!r})")
            if made != "None":
                lines.append(f"if v{number} is None: model.{name} = {made}")
            counted.append(f"(v{number} is not None)")
        elif name in later:
            names[f"read{number}"] = nested[name]
            lines += [
                f"v{number} = get({name!r})",
                f"if kind_of(v{number}) is dict: model._later = read{number}, v{number}",
                "else:",
                f"    model._later = model.{name} = None",
                f"    if v{number} is not None: unread += ({name!r},)",
            ]
            counted.append(f"(kind_of(v{number}) is dict)")
        elif name in nested:
            names[f"read{number}"] = nested[name]
            if name in always:
                names[f"empty{number}"] = always[name]
                made = _LITERALS.get(always[name], f"empty{number}()")
            lines += [
                f"v{number} = get({name!r})",
                f"r{number} = None if v{number} is None else read{number}(v{number})",
                f"if r{number} is None:",
                f"    model.{name} = {made}",
                f"    if v{number} is not None: unread += ({name!r},)",
                "else:",
                f"    model.{name} = r{number}",
            ]
            if name in always:
                lines.append(f"if not v{number}: whole = False")
            counted.append(f"(r{number} is not None)")
        elif name != "_later" or not later:
            lines.append(f"model.{name} = {made}")
    if hasattr(cls, "__attrs_post_init__"):
        lines.append("model.__attrs_post_init__()")
    total = " + ".join(counted) or "0"
    lines += [
        f"read = {total} if whole else -1",
        "if read != len(payload): finish(model, payload, unread, read)",
        "return model",
    ]
    read: Callable[[Any, Any], Any] = written("read", "payload, _=None", lines, names)
    return read


def writer(
    known: Mapping[str, bool | None],
    many: Collection[str],
    write: Callable[[Any], Any],
    whole: Callable[[dict[str, Any], str, Any], Any],
) -> Callable[[Any], dict[str, Any]]:
    """Write the function that makes a payload of a model: the inverse of `reader`.

    ``known``: the fields; None for those that are written as they are. The others ``write`` writes;
    one that is always there is left out when it is empty, unless it was given. ``many``: those with
    lists; if ``extra`` has one too, ``whole`` chooses.
    """
    lines = ["given = model._given", "out = dict(model.extra)"]
    for name, always in known.items():
        lines.append(f"value = model.{name}")
        if name in many:
            lines.append(f"if {name!r} in out: value = whole(out, {name!r}, value)")
        lines += [
            "if value is None:",
            f"    if given and {name!r} in given: out.setdefault({name!r}, None)",
            "else:",
        ]
        if always is not None:
            lines.append("    value = nested(value)")
        if always:
            lines.append(f"    if value or {name!r} in given: out[{name!r}] = value")
        else:
            lines.append(f"    out[{name!r}] = value")
    made: Callable[[Any], dict[str, Any]] = written(
        "write", "model", [*lines, "return out"], {"nested": write, "whole": whole}
    )
    return made


@cache
def copier(*path: tuple[type[Answer], str, bool]) -> Callable[..., Any]:
    """Write the function that copies models, each within the one before, with another last value.

    ``path``: their classes, the outermost first, each with the field that holds the next one and
    whether it holds it as the only item of a list. The function is called with the models and the
    value. Lists and models in the other fields are shared with the copies, ``extra`` is not.
    """
    names: dict[str, Any] = {}
    lines: list[str] = []
    value = "value"
    for number, (cls, changed, listed) in reversed([*enumerate(path)]):
        names[f"cls{number}"], names[f"new{number}"] = cls, cls.__new__
        model, copy = f"model{number}", f"copy{number}"
        extra = f"dict({model}.extra) if {model}.extra else {{}}"
        values = {"extra": extra, changed: f"[{value}]" if listed else value}
        lines.append(f"{copy} = new{number}(cls{number})")
        for attribute in fields(cls):
            name = attribute.name
            lines.append(f"{copy}.{name} = {values.get(name, f'{model}.{name}')}")
        value = copy
    models = ", ".join(f"model{number}" for number in range(len(path)))
    made: Callable[..., Any] = written("copy", f"{models}, value", [*lines, "return copy0"], names)
    return made


@cache
def comparer(*path: tuple[type[Answer], str, bool]) -> Callable[..., str | None]:
    """Write the function that tells whether a model is a copy that a `copier` of this path made.

    It is called with the models of the path and the one in question, and returns the last value of
    that one if it is text and all else is the very same, None otherwise. What is in lists and
    models of other fields is not looked at.
    """
    names: dict[str, Any] = {"same": _same, "kind_of": kind_of}
    lines: list[str] = []
    for number, (cls, changed, listed) in enumerate(path):
        names[f"cls{number}"] = cls
        model, other = f"model{number}", f"other{number}"
        lines.append(f"if kind_of({other}) is not cls{number}: return None")
        kept = (each.name for each in fields(cls) if each.name not in {"extra", changed})
        differs = " or ".join(f"{model}.{name} is not {other}.{name}" for name in kept)
        lines += [
            f"if {differs}: return None",
            f"if ({model}.extra or {other}.extra) and not same({model}.extra, {other}.extra):",
            "    return None",
            f"value = {other}.{changed}",
        ]
        if listed:
            lines += [
                "if kind_of(value) is not list or len(value) != 1: return None",
                "value = value[0]",
            ]
        lines.append(f"other{number + 1} = value")
    models = ", ".join(f"model{number}" for number in range(len(path)))
    lines.append("return value if kind_of(value) is str else None")
    made: Callable[..., str | None] = written("compare", f"{models}, other0", lines, names)
    return made


def _same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return [*one] == [*other] and all(map(is_, one.values(), other.values()))


def _default(attribute: Attribute[Any], number: int, names: dict[str, Any]) -> str:
    default: Any = attribute.default
    if default is None or default is NOTHING:
        return "None"
    factory = getattr(default, "factory", None)
    if factory is not None:
        names[f"default{number}"] = factory
        return _LITERALS.get(get_origin(factory) or factory, f"default{number}()")
    names[f"default{number}"] = default
    return f"default{number}"


def written(name: str, arguments: str, lines: list[str], names: dict[str, Any]) -> Any:
    """Make a function of its lines and of what they name."""
    source = "\n    ".join([f"def {name}({arguments}):", *lines])
    exec(source, names)  # noqa: S102 - the source is made of names of this package's own fields, as attrs makes its methods; nothing from outside gets into it
    made = names[name]
    _ours.add(made)
    return made


def is_generated(function: object) -> bool:
    """Tell whether a function was written here."""
    return function in _ours
