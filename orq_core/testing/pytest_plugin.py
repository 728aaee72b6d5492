"""Fixtures for anyone's tests, and ``--orq-plugin``.

Nothing is imported before a test, or the command line, asks for it.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Generator

    from orq_core.testing.modes import Mode
    from orq_core.testing.router import LocalRouter


def pytest_addoption(parser: pytest.Parser) -> None:
    """Take the names of plugins to check."""
    parser.getgroup("orq").addoption(
        "--orq-plugin",
        action="append",
        default=[],
        metavar="MODULE:FACTORY",
        help="run the conformance kit of orq_core on this plugin; may be given several times",
    )


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(
    session: pytest.Session, config: pytest.Config, items: list[pytest.Item]
) -> None:
    """Add the kit's tests, so that ``-k`` and the like choose among them as well."""
    names: Any = config.getoption("--orq-plugin")
    if names:
        from orq_core.testing.conformance import collecting  # noqa: PLC0415 - every pytest run of every project loads this file: it imports the rest only for those who use it

        # What `python -m pytest` does: a plugin that is not installed lies where pytest was called.
        here = str(config.invocation_params.dir)
        if here not in sys.path:
            sys.path.insert(0, here)
        items += collecting.items(session, names)


@pytest.fixture
def orq_router() -> Generator[LocalRouter, None, None]:
    """Give the test a `LocalRouter` of its own."""
    from orq_core.testing.router import LocalRouter  # noqa: PLC0415 - every pytest run of every project loads this file: it imports the rest only for those who use it

    with LocalRouter() as router:
        yield router


@pytest.fixture(params=["sync", "async"])
def mode(request: pytest.FixtureRequest) -> Mode:
    """Run the test twice, once for each kind of client."""
    from orq_core.testing.modes import Mode  # noqa: PLC0415 - every pytest run of every project loads this file: it imports the rest only for those who use it

    return Mode(request.param)
