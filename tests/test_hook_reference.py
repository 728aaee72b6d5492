"""Each hook's docstring is its reference: complete, on its page, and its example runs."""

from __future__ import annotations

import inspect
import json
import re
import textwrap
from contextvars import ContextVar
from decimal import Decimal
from pathlib import Path

import pytest

import orq_core
from orq_core.hookspecs import Hooks
from orq_core.testing import ScriptedTransport

PAGE = Path(__file__).resolve().parent.parent / "docs" / "plugins" / "hooks.md"
HOOKS = {name: hook for name, hook in vars(Hooks).items() if name.startswith("orq_")}


def example(hook) -> str:
    _, _, indented = inspect.getdoc(hook).partition("Example::\n")
    return textwrap.dedent(indented).strip()


@pytest.fixture(params=HOOKS)
def hook(request):
    return HOOKS[request.param]


def test_hook_has_a_heading_and_is_rendered(hook):
    page = PAGE.read_text("utf-8")
    assert f"\n## {hook.__name__}\n" in page
    assert f".. automethod:: orq_core.hookspecs.Hooks.{hook.__name__}\n" in page


def test_page_names_no_hook_that_is_none():
    assert set(re.findall(r"^## (orq_\w+)", PAGE.read_text("utf-8"), re.MULTILINE)) == set(HOOKS)


def test_reference_is_complete(hook):
    said = inspect.getdoc(hook)
    first = said.splitlines()[0]
    assert first.endswith("."), "one sentence"
    assert re.search(r"^Called once( per|,)", said, re.MULTILINE), "when, and how often"
    assert re.search(r"^Order: ", said, re.MULTILINE)
    assert re.search(r"^:returns: \w", said, re.MULTILINE)
    arguments = [name for name in inspect.signature(hook).parameters if name != "self"]
    assert re.findall(r"^:param (\w+): \w", said, re.MULTILINE) == arguments


def test_example_is_an_implementation_of_the_hook(hook):
    code = example(hook)
    assert code.startswith("@hookimpl\n")
    assert f"def {hook.__name__}(self" in code


def test_examples_work_together(monkeypatch, tmp_path, capsys):
    monkeypatch.chdir(tmp_path)
    spelt = "class Example:\n" + "\n".join(
        textwrap.indent(example(hook), "    ") + "\n" for hook in HOOKS.values()
    )
    names = {**vars(orq_core), "Path": Path, "Decimal": Decimal, "ContextVar": ContextVar}
    for name in ("hookimpl", "observe", "transform"):
        names[name] = getattr(orq_core, name)
    exec(compile(spelt, "examples", "exec"), names)
    transport = ScriptedTransport()
    with orq_core.Orq(
        api_key="fake-key", plugins=[names["Example"]()], discover=False, transport=transport
    ) as client:
        client.router.chat.completions.create(
            model="fake/model",
            messages=[{"role": "user", "content": "hi"}],
            stream=True,
            extra_body={"price": Decimal("0.5")},
            plugin_options={"tenancy": {"tenant": "blue"}},
        ).completion()
    [sent] = transport.requests
    assert sent.headers["X-Tenant"] == "blue"
    assert json.loads(sent.body)["price"] == 0.5
    assert "Ending(outcome='ok'" in capsys.readouterr().out
    assert (tmp_path / "audit.jsonl").exists()
