"""``python -m orq_core plugins``: found, from where, in which order, blocked, broken."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from orq_core import explain
from orq_core.explain import page
from orq_core.explain.page import Table
from tests.explain.distribution import install, orq


def listed(folder: Path, **environ: str) -> tuple[int, dict[str, dict]]:
    done = orq("plugins", "--json", folder=folder, **environ)
    assert done.stderr == ""
    return done.returncode, {each["name"]: each for each in json.loads(done.stdout)["plugins"]}


def test_found_plugins_with_their_origin_order_and_hooks(tmp_path: Path):
    install(tmp_path, {"tenant": "fake_plugins:Tenant"})
    code, plugins = listed(tmp_path)
    assert code == 0
    assert list(plugins) == ["tenant", "retries"]
    assert plugins["tenant"] == {
        "name": "tenant",
        "state": "loaded",
        "distribution": "fake-plugins",
        "version": "1.2",
        "object": "fake_plugins:Tenant",
        "position": 1,
        "hooks": ["orq_prepare_request", "orq_wrap_create (tryfirst)"],
        "reason": None,
    }
    assert plugins["retries"]["position"] == 2


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("fake_nowhere:Plugin", "ModuleNotFoundError: No module named 'fake_nowhere'"),
        ("fake_plugins:Nothing", "AttributeError: module 'fake_plugins' has no attribute"),
        ("fake_plugins:Misspelt", "unknown hook 'orq_wrap_creat'"),
        ("fake_plugins:WrongArgument", "'cal'"),
        ("fake_plugins:Hookless", "implements no hook"),
        ("fake_plugins:Unmade", "ValueError at "),
    ],
)
def test_a_broken_one_is_named_with_its_reason(tmp_path: Path, value: str, reason: str):
    install(tmp_path, {"tenant": "fake_plugins:Tenant", "bad": value})
    code, plugins = listed(tmp_path)
    assert code == 1
    assert plugins["bad"]["state"] == "broken"
    assert reason in plugins["bad"]["reason"]
    assert "fake-key" not in plugins["bad"]["reason"]
    assert plugins["tenant"]["state"] == "loaded", "one that is broken breaks no other"


def test_the_place_of_a_failure_is_the_plugins_own(tmp_path: Path):
    install(tmp_path, {"bad": "fake_plugins:Unmade"})
    _, plugins = listed(tmp_path)
    assert "fake_plugins.py:" in plugins["bad"]["reason"]


def test_a_blocked_one_is_neither_imported_nor_an_error(tmp_path: Path):
    install(tmp_path, {"bad": "fake_nowhere:Plugin"})
    code, plugins = listed(tmp_path, ORQ_PLUGINS="no:bad")
    assert code == 0
    assert plugins["bad"]["state"] == "blocked"
    assert plugins["bad"]["position"] is None
    assert plugins["retries"]["state"] == "loaded"


def test_one_that_is_asked_for_and_not_installed(tmp_path: Path):
    install(tmp_path, {"tenant": "fake_plugins:Tenant"})
    code, plugins = listed(tmp_path, ORQ_PLUGINS="tenant,absent")
    assert code == 1
    states = {name: each["state"] for name, each in plugins.items()}
    assert states == {"tenant": "loaded", "absent": "missing", "retries": "blocked"}


def test_the_order_of_the_variable(tmp_path: Path):
    install(tmp_path, {"a": "fake_plugins:Tenant", "b": "fake_plugins:Tenant"})
    _, plugins = listed(tmp_path, ORQ_PLUGINS="b,a,b")
    assert [name for name, each in plugins.items() if each["position"]] == ["b", "a"]


def test_two_of_one_name(tmp_path: Path):
    install(tmp_path, {"tenant": "fake_plugins:Tenant"})
    install(tmp_path, {"tenant": "fake_plugins:Tenant"}, name="fake-others")
    done = orq("plugins", "--json", folder=tmp_path)
    plugins = json.loads(done.stdout)["plugins"]
    states = [each["state"] for each in plugins if each["name"] == "tenant"]
    assert sorted(states) == ["loaded", "shadowed"]


def test_as_a_table(tmp_path: Path):
    install(tmp_path, {"tenant": "fake_plugins:Tenant", "bad": "fake_nowhere:Plugin"})
    done = orq("plugins", folder=tmp_path)
    assert done.returncode == 1
    lines = done.stdout.splitlines()
    assert lines[0].split() == ["layer", "name", "state", "from", "object", "and", "hooks"]
    assert lines[1] == "1      tenant   loaded  fake-plugins 1.2  fake_plugins:Tenant"
    assert lines[-2].endswith("  fake_nowhere:Plugin")
    assert lines[-1].strip().startswith("! ModuleNotFoundError")
    assert lines[-2].index("fake_nowhere") == lines[0].index("object")


TABLE = Table("Title", [("a", "[bold]x[/]\n+ y"), ("bb", "")], ("one", "two"), frozenset({1}))


def test_plain_tables_align_their_lines():
    assert page.plain([TABLE, Table("none", [])]).splitlines() == [
        "Title",
        "  one  two",
        "  a    [bold]x[/]",
        "       + y",
        "  bb",
    ]


def test_on_a_terminal_rich_draws_them(capsys: pytest.CaptureFixture[str], monkeypatch):
    pytest.importorskip("rich")
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    page.show([TABLE])
    drawn = capsys.readouterr().out
    assert "[bold]x[/]" in drawn, "cells are text, no markup"
    assert "Title" in drawn
    assert drawn != page.plain([TABLE]) + "\n"


def test_on_a_terminal_without_rich_they_are_text(capsys: pytest.CaptureFixture[str], monkeypatch):
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.delattr(explain, "_rich", raising=False)
    monkeypatch.setitem(sys.modules, "orq_core.explain._rich", None)
    page.show([TABLE])
    assert capsys.readouterr().out == page.plain([TABLE]) + "\n"
