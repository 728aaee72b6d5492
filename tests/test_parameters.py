"""The keywords of ``create`` are the request's fields, no more and no fewer."""

from __future__ import annotations

import inspect

from attrs import fields

from orq_core import parameters
from orq_core.models import ChatCompletionRequest
from orq_core.router import Completions


def keys(typed_dict: type) -> set[str]:
    return set(typed_dict.__annotations__)


def test_keywords_are_the_body_fields() -> None:
    body = {attribute.name for attribute in fields(ChatCompletionRequest)} - {"extra"}
    inherited = keys(parameters.Options)
    assert keys(parameters.BodyFields) - inherited | {"stream"} == body


def test_options_are_the_client_side_arguments() -> None:
    signature = inspect.signature(Completions._call)
    named = set(signature.parameters) - {"self", "fields", "request"}
    assert keys(parameters.Options) == named
    assert keys(parameters.RequestFields) - named == {"request", "stream"}


def test_nothing_is_named_twice() -> None:
    assert "timeout" not in keys(parameters.Options)
