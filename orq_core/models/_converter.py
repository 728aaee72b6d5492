"""All the rules of conversion on one cattrs converter."""

from __future__ import annotations

import difflib
from functools import cache
from typing import TYPE_CHECKING, Any

from attrs import evolve
from cattrs import Converter

from orq_core.errors import ConfigurationError, PluginError, RequestError
from orq_core.models import _answering, _requesting
from orq_core.models._given import known_fields
from orq_core.models._paths import misfit, under
from orq_core.models._plain import Plain, as_mapping
from orq_core.models.base import UNSET, Answer, Request
from orq_core.models.request import ChatCompletionRequest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from attrs import AttrsInstance


_FIELDS = frozenset(known_fields(ChatCompletionRequest))


def make_converter() -> Converter:
    """Make a converter for all models of this package.

    Answers accept any object and keep what they don't know; requests are checked. Hooks registered
    for a model, or for a subclass of one, are used wherever that model stands.
    """
    converter = Converter()
    plain = Plain(converter)

    def read_answer(kind: Any) -> Callable[[Any, Any], Any]:
        return _answering.structure_hook(kind, converter)

    def read_request(kind: Any) -> Callable[[Any, Any], Any]:
        return _requesting.structure_hook(kind, converter)

    def write_answer(_: Any) -> Callable[[Answer], dict[str, Any]]:
        return _answering.answer_dict

    def write_request(_: Any) -> Callable[[Request], dict[str, Any]]:
        return plain.model

    converter.register_structure_hook_factory(_is_answer, read_answer)
    converter.register_structure_hook_factory(_is_request, read_request)
    converter.register_unstructure_hook_factory(_is_answer, write_answer)
    converter.register_unstructure_hook_factory(_is_request, write_request)
    return converter


def _is_answer(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Answer)


def _is_request(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Request)


_default = cache(make_converter)


def to_dict(model: AttrsInstance) -> dict[str, Any]:
    """Write a model as it stands in JSON: unknown fields too, null and absent kept apart.

    Raises RequestError for a request that holds what JSON can't.
    """
    if isinstance(model, Answer):
        return _answering.answer_dict(model)
    written: dict[str, Any] = _default().unstructure(model)
    return written


def build_request(
    converter: Converter,
    request: Mapping[str, Any] | ChatCompletionRequest | None = None,
    fields: Mapping[str, Any] | None = None,
    extra_body: Mapping[str, Any] | None = None,
) -> ChatCompletionRequest:
    """Make a request of what ``create`` was given; lists and models in it are new.

    ``fields`` are keywords; one that is UNSET was not given. Keys of ``extra_body`` come last and,
    on the wire, replace fields of the same name.

    Raises ConfigurationError for a field given both ways, RequestError for one that doesn't fit.
    """
    given = {name: value for name, value in (fields or {}).items() if value is not UNSET}
    if not given.keys() <= _FIELDS:
        _refuse_unknown(given)
    whole: Any = given if request is None else _joined(request, given)
    body = converter.structure(whole, ChatCompletionRequest)
    if request is None and body.model is UNSET:
        raise RequestError("model: is missing", path="model")
    if extra_body is not None:
        body.extra.update(_mapping(extra_body, "extra_body"))
    return body


def _joined(request: Mapping[str, Any] | ChatCompletionRequest, given: dict[str, Any]) -> Any:
    """Add keywords to a whole request."""
    if isinstance(request, ChatCompletionRequest):
        already = {*request.extra, *(n for n in given if getattr(request, n) is not UNSET)}
        whole: Any = evolve(request, **given)
    else:
        base = _mapping(request, "request")
        already = {name for name, value in base.items() if value is not UNSET}
        whole = {**base, **given}
    for name in given:
        if name in already:
            raise ConfigurationError(f"{name}: given both in request= and as a keyword")
    return whole


def _mapping(value: Any, name: str) -> Mapping[str, Any]:
    mapping = as_mapping(value)
    if mapping is None:
        raise under(misfit("an object", value), name)
    return mapping


def _refuse_unknown(given: Mapping[str, Any]) -> None:
    for name in given:
        if name not in _FIELDS:
            near = difflib.get_close_matches(name, _FIELDS, 1)
            hint = f" (did you mean {near[0]}?)" if near else ""
            raise ConfigurationError(
                f"{name}: not an argument of create{hint}; fields the router knows and this "
                "library doesn't go into extra_body",
            )


def unstructure_request(
    converter: Converter, request: ChatCompletionRequest, *, checked: bool = False
) -> dict[str, Any]:
    """Write a request as JSON data; ``checked``: no plugin can have changed what was built.

    Raises RequestError, whose path names the place, for anything JSON can't hold, and PluginError
    for what is no request.
    """
    if not checked:
        if not isinstance(request, ChatCompletionRequest):  # pyright: ignore[reportUnnecessaryIsInstance] - a layer may hand on anything
            raise PluginError(
                f"a layer handed {type(request).__name__} to proceed, which takes a "
                "ChatCompletionRequest: attrs.evolve(request, ...) makes one",
            )
        request = converter.structure(request, type(request))
    written: dict[str, Any] = converter.unstructure(request)
    return written
