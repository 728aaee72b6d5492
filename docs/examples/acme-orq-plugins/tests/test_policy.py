from __future__ import annotations

import pickle
from typing import TYPE_CHECKING, Any

import pytest
from acme_orq_plugins import PolicyError, PolicyGate, TeamPolicy

from orq_core import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Scene

POLICIES = {"search": TeamPolicy(("openai/gpt-4o-mini", "anthropic/*"), 100)}
OTHER = "openai/o3"


def gate() -> PolicyGate:
    return PolicyGate(POLICIES, team="search")


@pytest.mark.parametrize("stream", [False, True])
def test_allowed(scene: Scene, stream: bool) -> None:
    scene.ask(gate(), stream=stream, model="anthropic/any", max_tokens=50)
    assert scene.sent[0]["max_tokens"] == 50


@pytest.mark.parametrize(
    "fields",
    [
        {"model": OTHER},
        {"fallbacks": [{"model": OTHER}]},
        {"load_balancer": {"type": "weight_based", "models": [{"model": OTHER, "weight": 1}]}},
        {"orq": {"fallbacks": [{"model": OTHER}]}},
        {"extra_body": {"model": OTHER}},
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_refused_wherever_it_is_named(scene: Scene, fields: dict[str, Any], stream: bool) -> None:
    with pytest.raises(PolicyError) as caught:
        scene.ask(gate(), stream=stream, **fields)
    assert scene.sent == []
    assert (caught.value.team, caught.value.model) == ("search", OTHER)
    assert pickle.loads(pickle.dumps(caught.value)).model == OTHER


@pytest.mark.parametrize("team", ["marketing", None])
def test_unknown_team_may_do_nothing(scene: Scene, team: str | None) -> None:
    with pytest.raises(PolicyError):
        scene.ask(PolicyGate(POLICIES), plugin_options={"acme-policy": {"team": team}})
    assert scene.sent == []


@pytest.mark.parametrize(
    ("asked", "sent"),
    [
        ({}, {"max_tokens": 100}),
        ({"max_tokens": None}, {"max_tokens": 100}),
        ({"max_tokens": 101}, {"max_tokens": 100}),
        ({"max_tokens": 99}, {"max_tokens": 99}),
        ({"max_completion_tokens": 500}, {"max_completion_tokens": 100}),
        ({"extra_body": {"max_tokens": 500}}, {"max_tokens": 100}),
        ({"extra_body": {"max_tokens": "500"}}, {"max_tokens": 100}),
    ],
)
def test_cap(scene: Scene, asked: dict[str, Any], sent: dict[str, int]) -> None:
    scene.ask(gate(), **asked)
    limits = {name: value for name, value in scene.sent[0].items() if name.startswith("max_")}
    assert limits == sent


def test_request_without_a_model(scene: Scene) -> None:
    request = {"messages": [{"role": "user", "content": "hi"}]}
    with pytest.raises(PolicyError):
        scene.ask(gate(), request=request)
    assert scene.sent == []


def test_policy_file(scene: Scene, policy_file: Callable[[str], None]) -> None:
    policy_file('{"search": {"models": ["openai/*"], "max_tokens": 10}}')
    scene.ask(PolicyGate(team="search"))
    assert scene.sent[0]["max_tokens"] == 10


@pytest.mark.parametrize("text", ["", "[]", '{"search": {}}', '{"search": []}'])
def test_policy_file_that_can_not_be_used(policy_file: Callable[[str], None], text: str) -> None:
    policy_file(text)
    with pytest.raises(ConfigurationError, match="ACME_ORQ_POLICY"):
        PolicyGate()
