"""Plugins: found, chosen, ordered, replaced, and refused by name."""

from __future__ import annotations

import asyncio
import os
import sys
import types
from functools import partial
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest

from orq_core import AsyncOrq, ConfigurationError, Orq, PluginError, hookimpl, manager, transform
from orq_core.testing import Mode, ScriptedTransport
from tests.explain.distribution import install


class Plugin:
    """Stays out of every call."""

    def __init__(self, name: str) -> None:
        self.name = name

    @hookimpl
    def orq_wrap_create(self, call: Any) -> None:
        del call


class Misspelt:
    @hookimpl
    def orq_wrap_creat(self, call: Any) -> None:
        del call


class WrongArgument:
    @hookimpl
    def orq_wrap_create(self, cal: Any) -> None:
        del cal


class First(Plugin):
    @hookimpl(tryfirst=True)
    def orq_wrap_create(self, call: Any) -> None:
        del call


class Last(Plugin):
    @hookimpl(trylast=True)
    def orq_wrap_create(self, call: Any) -> None:
        del call


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three plugins installed, found in an order that is not theirs."""
    module = types.ModuleType("orq_fake_plugins")
    module.zeta = Plugin("zeta")  # type: ignore[attr-defined]
    module.Alpha = type("Alpha", (Plugin,), {"__init__": lambda self: Plugin.__init__(self, "a")})  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, module.__name__, module)
    points = [
        EntryPoint("zeta", "orq_fake_plugins:zeta", "orq"),
        EntryPoint("alpha", "orq_fake_plugins:Alpha", "orq"),
        EntryPoint("broken", "orq_fake_plugins:missing", "orq"),
    ]
    monkeypatch.setattr(manager, "all_installed", lambda: points)
    monkeypatch.setenv("ORQ_PLUGINS", "no:broken")


def names(*plugins: object, discover: bool = True) -> list[str]:
    made = manager.plugin_manager(plugins, discover=discover)
    impls = made.hook.orq_wrap_create.get_hookimpls()
    return [impl.plugin_name for impl in reversed(impls)]


@pytest.mark.usefixtures("installed")
def test_given_stand_outside_found_and_found_are_sorted() -> None:
    assert names(Plugin("own"), Plugin("more")) == ["own", "more", "alpha", "zeta"]
    assert names(Plugin("own"), discover=False) == ["own"]


@pytest.mark.usefixtures("installed")
def test_tryfirst_and_trylast_move_a_layer() -> None:
    assert names(Last("in"), Plugin("own"), First("out")) == ["out", "own", "alpha", "zeta", "in"]


@pytest.mark.usefixtures("installed")
def test_a_given_plugin_replaces_a_found_one_of_its_name() -> None:
    assert names(Plugin("zeta")) == ["zeta", "alpha"]


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize(
    ("variable", "expected"),
    [
        ("", []),
        ("zeta,alpha", ["zeta", "alpha"]),
        (" zeta ", ["zeta"]),
        ("no:broken,no:zeta", ["alpha"]),
    ],
)
def test_orq_plugins(monkeypatch: pytest.MonkeyPatch, variable: str, expected: list[str]) -> None:
    monkeypatch.setenv("ORQ_PLUGINS", variable)
    assert names() == expected


def test_what_is_installed_while_the_process_runs_is_found(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("ORQ_PLUGINS", raising=False)
    monkeypatch.syspath_prepend(str(tmp_path))
    before = {point.name for point in manager.found()}
    install(tmp_path, {"late": "fake_plugins:Tenant"})
    os.utime(tmp_path, ns=(1, 1))  # the clock of a file system may stand still for as long
    assert {point.name for point in manager.found()} == {*before, "late"}


@pytest.mark.usefixtures("installed")
def test_an_unknown_name_in_orq_plugins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORQ_PLUGINS", "nope")
    with pytest.raises(ConfigurationError, match="not installed: nope; installed are: alpha"):
        manager.plugin_manager()


@pytest.mark.usefixtures("installed")
def test_a_broken_plugin_fails_by_name_and_with_its_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ORQ_PLUGINS")
    with pytest.raises(PluginError, match=r"'broken'.*ORQ_PLUGINS=no:broken") as caught:
        Orq()
    assert caught.value.plugin == "broken"


@pytest.mark.parametrize(
    ("plugin", "message"),
    [
        (Misspelt(), "orq_wrap_creat"),
        (WrongArgument(), "cal"),
        (object(), "implements no hook"),
    ],
)
def test_hooks_that_do_not_fit(plugin: object, message: str) -> None:
    with pytest.raises(PluginError, match=message):
        manager.plugin_manager([plugin], discover=False)


def test_a_class_is_not_an_instance() -> None:
    with pytest.raises(ConfigurationError, match=r"pass an instance: First\(\)"):
        manager.plugin_manager([First], discover=False)


def test_one_plugin_given_twice_is_refused_by_name() -> None:
    plugin = Plugin("twin")
    with pytest.raises(ConfigurationError, match="'twin' is given twice"):
        Orq(api_key="fake", plugins=[plugin, plugin], discover=False)


def test_two_of_one_name_both_take_part() -> None:
    assert names(Plugin("a"), Plugin("a"), discover=False) == ["a", "a-2"]


def test_what_is_no_layer_is_refused(mode: Mode) -> None:
    class Forgot:
        @hookimpl
        async def orq_wrap_create(self, call: Any) -> None:
            """Return nothing to call."""

    class Value:
        @hookimpl
        def orq_wrap_create(self, call: Any) -> int:
            return 5

    async def body(plugin: object) -> None:
        transport = ScriptedTransport(is_async=mode.is_async)
        arguments = {"api_key": "fake", "transport": transport, "discover": False}
        async with mode.client(plugins=[plugin], **arguments) as client:
            await mode.create(client, model="fake/model", messages=[])

    for plugin, kind in ((Forgot(), "coroutine"), (Value(), "int")):
        with pytest.raises(PluginError, match=f"orq_wrap_create returned {kind}; a layer is"):
            mode.run(partial(body, plugin))


def test_what_is_no_request_is_refused(mode: Mode) -> None:
    class Careless:
        @hookimpl
        def orq_wrap_create(self, call: Any) -> Any:
            return transform(request=lambda _: {"model": "fake/model"})  # type: ignore[arg-type,return-value]  # the careless plugin's fault

    async def body() -> None:
        transport = ScriptedTransport(is_async=mode.is_async)
        arguments = {"api_key": "fake", "transport": transport, "discover": False}
        async with mode.client(plugins=[Careless()], **arguments) as client:
            await mode.create(client, model="fake/model", messages=[])

    with pytest.raises(PluginError, match="handed dict to proceed"):
        mode.run(body)


def test_client_hooks_open_in_order_and_close_in_reverse() -> None:
    seen: list[str] = []

    class Resource(Plugin):
        @hookimpl
        def orq_client_opened(self, client: Orq) -> None:
            seen.append(f"open {self.name}")

        @hookimpl
        async def orq_client_closed(self) -> None:
            seen.append(f"close {self.name}")

    with Orq(api_key="fake", plugins=[Resource("a"), Resource("b")], discover=False) as client:
        assert [name for name, _ in client.plugins] == ["a", "b"]
    client.close()
    assert seen == ["open a", "open b", "close b", "close a"]


@pytest.mark.parametrize("within", [True, False], ids=["within a loop", "before it"])
def test_a_failing_open_closes_those_opened_before(mode: Mode, within: bool) -> None:
    seen: list[str] = []

    class Resource(Plugin):
        @hookimpl
        def orq_client_opened(self) -> None:
            if self.name == "bad":
                raise OSError("secret-path")
            seen.append(f"open {self.name}")

        @hookimpl
        async def orq_client_closed(self, client: Any) -> None:
            await client.runtime.run(seen.append, f"close {self.name}")

    class Silent(Plugin):
        @hookimpl
        def orq_client_closed(self) -> None:
            seen.append("never opened")

    plugins = [Resource("a"), Silent("b"), Resource("c"), Resource("bad"), Resource("d")]
    kind: Any = AsyncOrq if mode.is_async else Orq

    def make() -> None:
        with pytest.raises(PluginError, match="'bad': orq_client_opened failed: OSError") as caught:
            kind(api_key="fake", plugins=plugins, discover=False)
        assert caught.value.plugin == "bad"
        assert isinstance(caught.value.__cause__, OSError)

    async def body() -> None:
        make()
        if mode.is_async:
            await asyncio.sleep(0.1)

    if within:
        mode.run(body)
    else:
        make()
    assert seen == ["open a", "open c", "close c", "close a"]


def test_a_failing_close_still_releases_the_rest() -> None:
    seen: list[str] = []

    class Bad(Plugin):
        @hookimpl
        def orq_client_closed(self, client: Orq) -> None:
            seen.append(self.name)
            raise ValueError(self.name)

    client = Orq(api_key="fake", plugins=[Bad("a"), Bad("b")], discover=False)
    with pytest.raises(ValueError, match="b"):
        client.close()
    assert seen == ["b", "a"]


def test_an_interrupted_close_still_releases_the_transport(mode: Mode) -> None:
    class Slow(Plugin):
        @hookimpl
        async def orq_client_closed(self) -> None:
            if not mode.is_async:
                raise KeyboardInterrupt
            await asyncio.sleep(30)

    async def body() -> None:
        transport = ScriptedTransport(is_async=mode.is_async)
        kind: Any = AsyncOrq if mode.is_async else Orq
        client = kind(api_key="fake", transport=transport, plugins=[Slow("a")], discover=False)
        if mode.is_async:
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(client.close(), 0.05)
        else:
            with pytest.raises(KeyboardInterrupt):
                client.close()
        assert transport.closed

    mode.run(body)
