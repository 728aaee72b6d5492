from __future__ import annotations

import importlib
import pkgutil
import subprocess
import sys

import pytest

import orq_core

BACKENDS = ("requests", "aiohttp", "urllib3", "pluggy", "cattrs", "asyncio", "importlib.metadata")

CPU = """
import time
began = time.process_time()
import {module}
print(time.process_time() - began)
"""


def python(code: str) -> str:
    command = [sys.executable, "-I", "-X", "utf8", "-c", code]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_import_loads_no_backend():
    loaded = python(f"import sys, orq_core; print([m for m in {BACKENDS} if m in sys.modules])")
    assert loaded.strip() == "[]"


def test_client_loads_no_backend_before_its_first_call():
    code = (
        "import sys; from orq_core import Orq; Orq(api_key='sk-fake'); "
        "print([m for m in ('requests', 'aiohttp') if m in sys.modules])"
    )
    assert python(code).strip() == "[]"


def test_import_is_cheaper_than_that_of_requests(capsys):
    ours = min(float(python(CPU.format(module="orq_core"))) for _ in range(3))
    theirs = min(float(python(CPU.format(module="requests"))) for _ in range(3))
    with capsys.disabled():
        print(f"\nimport orq_core: {ours * 1e3:.1f} ms of CPU; requests: {theirs * 1e3:.1f} ms")
    assert ours < theirs


def test_public_names_are_those_listed():
    assert list(orq_core.__all__) == sorted(orq_core.__all__, key=_isort)
    for name in orq_core.__all__:
        assert getattr(orq_core, name) is not None
        assert name in dir(orq_core)


def test_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'Nonsense'"):
        orq_core.Nonsense  # noqa: B018


def test_every_module_can_be_imported_alone():
    names = [module.name for module in pkgutil.walk_packages(orq_core.__path__, "orq_core.")]
    code = (
        "import importlib, sys\n"
        f"for name in {names!r}:\n"
        "    for loaded in [m for m in sys.modules if m.split('.')[0] == 'orq_core']:\n"
        "        del sys.modules[loaded]\n"
        "    importlib.import_module(name)\n"
    )
    python(code)


def test_core_never_imports_the_plugins():
    code = (
        "import sys, importlib, pkgutil, orq_core\n"
        "for module in pkgutil.walk_packages(orq_core.__path__, 'orq_core.'):\n"
        "    importlib.import_module(module.name)\n"
        "print([m for m in sys.modules if m.startswith('orq_plugins')])\n"
    )
    assert python(code).strip() == "[]"


def _isort(name: str) -> tuple[int, str]:
    """Constants, then classes, then functions: the order of ruff's RUF022."""
    return (0 if name.isupper() else 1 if name[0].isupper() else 2, name)


def test_python_m_orq_core_is_the_command_line():
    assert callable(importlib.import_module("orq_core.__main__").main)
