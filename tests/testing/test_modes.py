"""One body, two modes; and what pytest loads for it."""

from __future__ import annotations

import asyncio
import subprocess
import sys

import pytest

import orq_core.testing
from orq_core import AsyncOrq, Orq, SuspendedError
from orq_core.testing import MODES, LocalRouter, Mode

HEAVY = ("aiohttp", "requests", "cattrs", "asyncio", "orq_core.client", "orq_core.testing.router")
TEST = """
import threading
import pytest

def test_both(mode, orq_router):
    async def body():
        async with mode.client(server_url=orq_router.url) as client:
            messages = [{"role": "user", "content": "hi"}]
            return (await mode.create(client, model="fake", messages=messages)).text
    assert mode.run(body) == "hi"
"""


def test_a_mode_makes_its_own_kind_of_client(mode: Mode) -> None:
    async def body() -> type:
        async with mode.client(api_key="sk-fake") as client:
            return type(client)

    assert mode.run(body) is (AsyncOrq if mode.is_async else Orq)


def test_only_one_mode_has_an_event_loop(mode: Mode) -> None:
    async def body() -> bool:
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return False
        return True

    assert mode.run(body) is mode.is_async
    assert mode.is_async is (mode.name == "async")


def test_nothing_may_suspend_without_a_loop(mode: Mode) -> None:
    async def body() -> str:
        await asyncio.sleep(0)
        return "suspended"

    if mode.is_async:
        assert mode.run(body) == "suspended"
    else:
        with pytest.raises(SuspendedError):
            mode.run(body)


def test_a_stream_in_each_way(mode: Mode, orq_router: LocalRouter) -> None:
    asked = {"model": "fake", "messages": [{"role": "user", "content": "one two"}], "stream": True}

    async def body() -> None:
        async with mode.client(server_url=orq_router.url) as client:
            stream = await mode.create(client, **asked)
            assert [each.text async for each in mode.iterate(stream)] == ["", "one", " two", ""]
            assert (await mode.completion(await mode.create(client, **asked))).text == "one two"
            stream = await mode.create(client, **asked)
            await mode.close(stream)

    mode.run(body)
    assert len(orq_router.requests) == 3


def test_both_modes_are_listed() -> None:
    assert [mode.name for mode in MODES] == ["sync", "async"]


def test_public_names_are_those_listed() -> None:
    module = orq_core.testing
    assert set(module.__all__) == {name for names in module._HOME.values() for name in names}
    for name in module.__all__:
        assert getattr(module, name) is not None
        assert name in dir(module)
    with pytest.raises(AttributeError, match="no attribute 'Nonsense'"):
        module.Nonsense  # noqa: B018


def test_pytest_starts_without_loading_the_clients() -> None:
    code = (
        "import sys, orq_core.testing.pytest_plugin\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    command = [sys.executable, "-I", "-c", code]
    assert subprocess.check_output(command, text=True).strip() == "[]"


def test_a_project_gets_the_fixtures_by_installing_it(tmp_path) -> None:
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / "test_theirs.py").write_text(TEST)
    command = [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider"]
    command += ["-p", "no:asyncio"]  # where it is installed, it warns of its own settings
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "2 passed" in run.stdout
    assert run.returncode == 0
