"""Fixtures for anyone's tests; nothing is imported before a test asks for one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Generator

    from orq_core.testing.modes import Mode
    from orq_core.testing.router import LocalRouter


@pytest.fixture
def orq_router() -> Generator[LocalRouter, None, None]:
    """Give the test a `LocalRouter` of its own."""
    from orq_core.testing.router import LocalRouter  # noqa: PLC0415 - see above

    with LocalRouter() as router:
        yield router


@pytest.fixture(params=["sync", "async"])
def mode(request: pytest.FixtureRequest) -> Mode:
    """Run the test twice, once for each kind of client."""
    from orq_core.testing.modes import Mode  # noqa: PLC0415 - see above

    return Mode(request.param)
