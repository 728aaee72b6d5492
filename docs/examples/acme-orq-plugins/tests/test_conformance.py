"""The kit runs each plugin through both modes, both kinds of answer and every way out."""

from __future__ import annotations

from typing import Any

import pytest
from acme_orq_plugins import Numbering, PolicyGate, TeamPolicy, Tenancy, acting_for

import orq_core.testing

check_plugin: Any = getattr(orq_core.testing, "check_plugin", None)
if check_plugin is None:
    pytest.skip("this orq-core has no check_plugin", allow_module_level=True)


def test_numbering() -> None:
    check_plugin(Numbering, changes_items=True)


def test_policy() -> None:
    check_plugin(lambda: PolicyGate({"any": TeamPolicy(("*",), 10_000)}, team="any"))


def test_tenancy() -> None:
    with acting_for("blue", feature="conformance"):
        check_plugin(Tenancy)
