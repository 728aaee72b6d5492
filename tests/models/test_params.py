"""Dictionaries for editors: they name what the models name."""

from __future__ import annotations

from typing import get_type_hints, is_typeddict

import attrs
import pytest

from orq_core import models
from orq_core.models import params

NAMES = sorted(name for name, value in vars(params).items() if is_typeddict(value))


@pytest.mark.parametrize("name", NAMES)
def test_a_dictionary_names_the_fields_of_its_model(name):
    model = getattr(models, name.removesuffix("Param"))
    fields = {attribute.name for attribute in attrs.fields(model)} - {"extra"}
    assert set(get_type_hints(getattr(params, name))) == fields


def test_there_are_dictionaries():
    assert "UserMessageParam" in NAMES
    assert "ToolParam" in NAMES
