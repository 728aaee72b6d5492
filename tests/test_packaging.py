from __future__ import annotations

import configparser
import importlib.metadata
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("orq_core", "orq_plugins")


def test_setup_cfg_says_only_what_is_packed():
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    assert config.sections() == ["options", "options.packages.find", "options.package_data"]
    assert dict(config["options"]) == {"packages": "find:"}


@pytest.mark.slow
def test_wheel_has_every_module_and_nothing_else(tmp_path):
    for name in (*PACKAGES, "pyproject.toml", "setup.cfg", "README.md", "LICENSE"):
        (tmp_path / name).symlink_to(ROOT / name)
    out = tmp_path / "dist"
    build = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--quiet", "-w", out, tmp_path]
    built = subprocess.run(build, capture_output=True, text=True, check=False)
    if "No matching distribution found for setuptools" in built.stderr:
        pytest.skip("setuptools can't be downloaded here")
    assert built.returncode == 0, built.stderr
    [wheel] = out.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        packed = {name for name in archive.namelist() if ".dist-info/" not in name}
    expected = {
        str(path.relative_to(ROOT))
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.suffix == ".py" or path.name == "py.typed"
    }
    assert packed == expected


def test_every_folder_with_modules_is_a_package():
    for package in PACKAGES:
        for module in (ROOT / package).rglob("*.py"):
            assert (module.parent / "__init__.py").exists(), module


def test_both_packages_are_marked_as_typed():
    for package in PACKAGES:
        assert (ROOT / package / "py.typed").exists()


def test_version_comes_from_the_metadata():
    import orq_core

    assert orq_core.__version__ == importlib.metadata.version("orq-core")


def test_pytest_plugin_is_registered():
    points = importlib.metadata.entry_points(group="pytest11")
    assert points["orq"].value == "orq_core.testing.pytest_plugin"
