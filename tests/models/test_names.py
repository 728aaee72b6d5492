"""What the package of models offers."""

from __future__ import annotations

import attrs
import pytest

from orq_core import models


def test_every_name_offered_is_there():
    assert [name for name in models.__all__ if not hasattr(models, name)] == []
    assert len(set(models.__all__)) == len(models.__all__)


@pytest.mark.parametrize(
    "name", [n for n in models.__all__ if attrs.has(getattr(models, n)) and n != "Request"]
)
def test_every_model_has_slots_and_can_be_made_empty(name):
    model = getattr(models, name)()
    assert not hasattr(model, "__dict__")
    assert model.extra == {}
    assert model == getattr(models, name)()
