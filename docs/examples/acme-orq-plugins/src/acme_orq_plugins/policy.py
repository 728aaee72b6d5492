"""Which models a team may use, and how long their answers may be."""

from __future__ import annotations

import json
import os
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attrs import define, evolve

from orq_core import ConfigurationError, OrqError, hookimpl, to_dict, transform

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from orq_core import Call, ChatCompletionRequest, Layer

_FILE = "ACME_ORQ_POLICY"
_TEAM = "ACME_ORQ_TEAM"
_ROUTED = ("model", "fallbacks", "load_balancer", "orq")  # where a body names models
_LIMITS = ("max_tokens", "max_completion_tokens")


class PolicyError(OrqError):
    """The policy does not allow this call; nothing was sent. ``team`` and ``model`` say which."""

    def __init__(self, message: str = "", *, team: str | None, model: str | None = None) -> None:
        """Say what is not allowed."""
        super().__init__(message)
        self.team = team
        self.model = model


@define(frozen=True)
class TeamPolicy:
    """What a team may do; ``models`` are patterns such as ``anthropic/*``."""

    models: tuple[str, ...]
    max_tokens: int

    def allows(self, model: str) -> bool:
        """Return whether a model matches one of the patterns."""
        return any(fnmatchcase(model, pattern) for pattern in self.models)


class PolicyGate:
    """Refuses models that a team may not use, and caps how much it may ask for.

    ``policies``: by team; default the JSON file that ``ACME_ORQ_POLICY`` names, or no team at all.
    ``team``: of calls without ``plugin_options={"acme-policy": {"team": …}}``; default
    ``ACME_ORQ_TEAM``. Fallbacks and load balancing are checked as well, and so is ``extra_body``.

    A refused call raises PolicyError before anything is sent. Raises ConfigurationError for a file
    that can't be used.
    """

    name = "acme-policy"

    def __init__(
        self, policies: Mapping[str, TeamPolicy] | None = None, *, team: str | None = None
    ) -> None:
        """Read the file if no policies are given."""
        self._policies = dict(_from_file() if policies is None else policies)
        self._team = team or os.environ.get(_TEAM)

    @hookimpl(tryfirst=True)
    def orq_wrap_create(self, call: Call) -> Layer:
        """Stand outside of the cache: what is not allowed is not served from there either."""
        team: str | None = call.options_for(self.name).get("team", self._team)
        policy = None if team is None else self._policies.get(team)
        if team is None or policy is None:
            raise PolicyError("no policy for this team", team=team)

        def governed(request: ChatCompletionRequest) -> ChatCompletionRequest:
            body = to_dict(request)  # as it would be sent: extra_body replaces fields
            models = set(_models({name: body[name] for name in _ROUTED if name in body}))
            if "model" not in body:
                raise PolicyError("the request names no model", team=team)
            for model in sorted(models):
                if not policy.allows(model):
                    raise PolicyError(
                        f"team {team} may not use {model}; allowed: {', '.join(policy.models)}",
                        team=team,
                        model=model,
                    )
            return self._capped(call, request, body, policy.max_tokens)

        return transform(request=governed)

    def _capped(
        self, call: Call, request: ChatCompletionRequest, body: Mapping[str, Any], most: int
    ) -> ChatCompletionRequest:
        asked = {name: body[name] for name in _LIMITS if body.get(name) is not None}
        if asked and all(isinstance(n, int) and n <= most for n in asked.values()):
            return request
        call.note(self.name, max_tokens=most)
        extra = {name: value for name, value in request.extra.items() if name not in _LIMITS}
        # One that was not asked for is not added beside one that was: models take either.
        limits: dict[str, Any] = {name: _least(asked[name], most) for name in asked}
        return evolve(request, extra=extra, **(limits or {"max_tokens": most}))


def _least(asked: object, most: int) -> int:
    return min(asked, most) if isinstance(asked, int) else most


def _models(body: object) -> Iterator[str]:
    """Find every model that is named in a part of a body."""
    if isinstance(body, list):
        for each in body:
            yield from _models(each)
    elif isinstance(body, dict):
        for name, value in body.items():
            if name == "model" and isinstance(value, str):
                yield value
            else:
                yield from _models(value)


def _from_file() -> dict[str, TeamPolicy]:
    path = os.environ.get(_FILE)
    if not path:
        return {}
    try:
        read: dict[str, Any] = json.loads(Path(path).read_text("utf-8"))
        return {
            team: TeamPolicy(tuple(policy["models"]), int(policy["max_tokens"]))
            for team, policy in read.items()
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigurationError(
            f"{_FILE}: expected a JSON file of teams, each with models and max_tokens "
            f"({type(error).__name__})"
        ) from error
