"""What the page on services says of notebooks and of processes that fork."""

from __future__ import annotations

import ast
import asyncio
import os
import runpy

import pytest

from tests.examples.conftest import EXAMPLES

CODE = EXAMPLES.parent / "code"


@pytest.fixture(autouse=True)
def environment(orq_router, monkeypatch):
    monkeypatch.setenv("ORQ_SERVER_URL", orq_router.url)


def test_notebook_cell_runs_twice_where_a_loop_is_running(capsys):
    async def kernel():
        for _ in range(2):
            runpy.run_path(str(CODE / "notebook.py"))

    asyncio.run(kernel())
    assert capsys.readouterr().out.count("Why is the sky blue?\n") == 2


def test_notebook_cell_with_await(capsys):
    cell = (CODE / "notebook.py").read_text("utf-8")
    for blocking, awaited in (
        ("Orq", "AsyncOrq"),
        ("with Async", "async with Async"),
        ("= client", "= await client"),
        ("for text", "async for text"),
    ):
        cell = cell.replace(blocking, awaited)
    code = compile(cell, "cell", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    asyncio.run(eval(code, {}))
    assert capsys.readouterr().out.startswith("Why is the sky blue?\n")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform has no fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_client_of_the_parent_works_in_its_children(orq_router):
    names = runpy.run_path(str(CODE / "per_process.py"))
    answer, client = names["answer"], names["client"]
    assert answer("parent") == "parent"
    children = []
    for number in range(3):
        if (child := os.fork()) == 0:
            code = 1
            try:
                code = 0 if answer(f"child {number}") == f"child {number}" else 2
            finally:
                os._exit(code)
        children.append(child)
    assert answer("parent again") == "parent again"
    assert [os.waitstatus_to_exitcode(os.waitpid(each, 0)[1]) for each in children] == [0, 0, 0]
    client().close()
