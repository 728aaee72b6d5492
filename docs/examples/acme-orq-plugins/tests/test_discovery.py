from __future__ import annotations

from importlib.metadata import entry_points

import pytest
from acme_orq_plugins import Numbering, PolicyGate, Tenancy

from orq_core import Orq

NAMES = {kind.name: kind for kind in (Numbering, PolicyGate, Tenancy)}


def test_entry_points_are_the_plugins() -> None:
    points = {point.name: point.load() for point in entry_points(group="orq")}
    assert {name: points.get(name) for name in NAMES} == NAMES


def test_client_finds_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORQ_PLUGINS", ",".join(NAMES))
    with Orq(api_key="fake-key") as client:
        assert [name for name, _ in client.plugins] == list(NAMES)
