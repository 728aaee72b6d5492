"""Every snippet of the pages is a file, and runs."""

from __future__ import annotations

import logging
import re
import runpy
from pathlib import Path

import pytest

DOCS = Path(__file__).resolve().parent.parent / "docs"
ENTRY = r"^(?:#+ .*|\| .*|`\w+`(?=\n: ))"
SNIPPETS = sorted((DOCS / "code").glob("*.py"))


@pytest.mark.parametrize("snippet", SNIPPETS, ids=lambda path: path.stem)
def test_snippet_runs(snippet, orq_router, monkeypatch, capsys, caplog):
    # A snippet sets it; this puts it back for the tests that follow.
    caplog.set_level(logging.NOTSET, "orq.call")
    monkeypatch.setenv("ORQ_API_KEY", "sk-fake")
    monkeypatch.setenv("ORQ_SERVER_URL", orq_router.url)
    monkeypatch.setenv("ORQ_PLUGINS", "retries")  # what this package brings, and no other
    runpy.run_path(str(snippet), run_name="__main__")
    assert capsys.readouterr().out.strip()


def test_every_snippet_is_shown():
    shown = set()
    for page in DOCS.rglob("*.md"):
        shown |= set(
            re.findall(r"literalinclude} (?:\.\./)?code/(\w+\.py)", page.read_text("utf-8"))
        )
    assert shown == {snippet.name for snippet in SNIPPETS}


def test_readme_starts_as_the_documentation_does():
    readme = (DOCS.parent / "README.md").read_text("utf-8")
    assert (DOCS / "code" / "start.py").read_text("utf-8") in readme


@pytest.mark.parametrize("needle", ["orq_core chat", "pytest"])
def test_readme_command_is_one_line(needle):
    readme = (DOCS.parent / "README.md").read_text("utf-8")
    commands = [line for line in readme.splitlines() if line.startswith("python3 -m venv")]
    assert len([line for line in commands if needle in line]) == 1


def test_every_variable_is_documented():
    read = set()
    for package in ("orq_core", "orq_plugins"):
        for module in (DOCS.parent / package).rglob("*.py"):
            read |= set(re.findall(r'"(ORQ_[A-Z_]+)"', module.read_text("utf-8")))
    entries = set()  # a heading, a row of a table, or a term that is defined
    for page in DOCS.rglob("*.md"):
        text = page.read_text("utf-8")
        entries |= set(re.findall(r"`(ORQ_\w+)`", "\n".join(re.findall(ENTRY, text, re.MULTILINE))))
    assert read
    assert read - entries == set()


def test_every_error_is_documented():
    from orq_core import errors

    page = (DOCS / "errors.md").read_text("utf-8")
    names = [
        name
        for name, value in vars(errors).items()
        if isinstance(value, type) and issubclass(value, errors.OrqError)
    ]
    assert [name for name in names if f"`{name}`" not in page] == []
