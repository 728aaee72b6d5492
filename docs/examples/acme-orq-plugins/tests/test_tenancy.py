from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from acme_orq_plugins import Tenancy, TenancyError, acting_for

if TYPE_CHECKING:
    from conftest import Scene


@pytest.mark.parametrize("stream", [False, True])
def test_block_names_the_tenant(scene: Scene, stream: bool) -> None:
    with acting_for("blue", feature="search"):
        scene.ask(Tenancy(), stream=stream, metadata={"trace": "t1"})
    [headers], [sent] = scene.headers, scene.sent
    assert headers["X-Acme-Tenant"] == "blue"
    assert headers["X-Acme-Feature"] == "search"
    assert sent["metadata"] == {"trace": "t1", "tenant": "blue", "feature": "search"}


def test_call_wins_over_the_block(scene: Scene) -> None:
    with acting_for("blue"):
        answer = scene.ask(Tenancy(), plugin_options={"acme-tenancy": {"tenant": "red"}})
    assert scene.headers[0]["X-Acme-Tenant"] == "red"
    assert answer.info.notes["acme-tenancy"] == {"tenant": "red", "feature": "unknown"}


def test_no_tenant_is_refused(scene: Scene) -> None:
    with pytest.raises(TenancyError):
        scene.ask(Tenancy())
    assert scene.sent == []


@pytest.mark.parametrize("name", ["", "Blue", "blue\r\nX-Evil: 1", "a" * 64, None])
def test_names_that_could_not_stand_in_a_header(scene: Scene, name: str | None) -> None:
    with pytest.raises(TenancyError):
        scene.ask(Tenancy(), plugin_options={"acme-tenancy": {"tenant": name}})
    assert scene.sent == []
