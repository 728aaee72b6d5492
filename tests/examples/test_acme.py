"""The package of a stranger: built, installed and tested in an environment of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ACME = ROOT / "docs" / "examples" / "acme-orq-plugins"
PACKED = ("orq_core", "orq_plugins", "pyproject.toml", "setup.cfg", "README.md", "LICENSE")
CLEAN = {
    name: value
    for name, value in os.environ.items()
    if not name.startswith(("ORQ_", "ACME_", "PYTHON", "PYTEST_", "COVERAGE_"))
}


def run(*command: object, cwd: Path) -> str:
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env={**CLEAN, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    said = done.stdout + done.stderr
    if "No matching distribution found" in said or "Could not fetch" in said:
        if os.environ.get("ORQ_REQUIRE_REAL"):
            pytest.fail(said)
        pytest.skip("packages can't be downloaded here")
    assert done.returncode == 0, said
    return said


@pytest.fixture(scope="module")
def stranger(tmp_path_factory):
    """A fresh environment with this project and the package, installed as anyone would."""
    place = tmp_path_factory.mktemp("stranger")
    (place / "orq-core").mkdir()
    for name in PACKED:  # built from copies: an in-place build leaves its folders behind
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, place / "orq-core" / name)
    shutil.copytree(ACME, place / "acme", ignore=shutil.ignore_patterns("*.egg-info", ".*_cache"))
    run(sys.executable, "-m", "venv", place / "venv", cwd=place)
    folder = place / "venv" / ("Scripts" if os.name == "nt" else "bin")
    run(folder / "pip", "install", "-q", place / "orq-core", f"{place / 'acme'}[test]", cwd=place)
    return folder, place / "acme"


pytestmark = pytest.mark.slow


def test_its_tests_pass_and_its_types_fit(stranger):
    folder, package = stranger
    assert " passed" in run(folder / "pytest", "-q", cwd=package)
    assert "no issues found" in run(folder / "mypy", cwd=package)


def test_its_plugins_are_found(stranger):
    folder, package = stranger
    listed = run(folder / "python", "-m", "orq_core", "plugins", cwd=package)
    for name in ("acme-numbering", "acme-policy", "acme-tenancy"):
        assert name in listed
    assert "acme-orq-plugins 0.1.0" in listed
