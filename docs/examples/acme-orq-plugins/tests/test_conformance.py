"""The kit runs each plugin through both modes, both kinds of answer and every way out."""

from __future__ import annotations

from acme_orq_plugins import Numbering, PolicyGate, TeamPolicy, Tenancy, acting_for

from orq_core.testing import check_plugin


def test_numbering() -> None:
    check_plugin(Numbering, changes_items=True)


def test_policy() -> None:
    check_plugin(lambda: PolicyGate({"any": TeamPolicy(("*",), 10_000)}, team="any"))


def test_tenancy() -> None:
    with acting_for("blue", feature="conformance"):
        check_plugin(Tenancy)
