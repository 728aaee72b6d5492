"""What is looked up, what is stored, and for how long."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Literal

from attrs import Attribute, define, field, fields

from orq_core import ConfigurationError
from orq_core._json import is_list, is_object
from orq_core.models import UNSET

if TYPE_CHECKING:
    from orq_core.models import ChatCompletionRequest

Policy = Literal["deterministic", "all", "explicit"]
"""Which calls a cache takes part in; see `Caching`."""

Decide = Callable[["ChatCompletionRequest"], bool]

_POLICIES = ("deterministic", "all", "explicit")
_STORED_REASONS = frozenset({"stop", "tool_calls"})


def _seconds(instance: object, attribute: Attribute[Any], value: object) -> None:
    del instance
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not value >= 0:
        raise ConfigurationError(f"{attribute.name}: expected seconds, not negative")


def _seconds_or_none(instance: object, attribute: Attribute[Any], value: object) -> None:
    if value is not None:
        _seconds(instance, attribute, value)


def _flag(instance: object, attribute: Attribute[Any], value: object) -> None:
    del instance
    if not isinstance(value, bool):
        raise ConfigurationError(f"{attribute.name}: expected True or False")


def _name(instance: object, attribute: Attribute[Any], value: object) -> None:
    del instance
    if value is not None and not isinstance(value, str):
        raise ConfigurationError(f"{attribute.name}: expected a string")


@define(frozen=True, kw_only=True)
class CacheOptions:
    """What one call may ask of the cache: ``plugin_options={"caching": {"ttl": 60}}``.

    ``bypass``: neither look up nor store. ``no_store``: look up, store nothing. ``ttl``: seconds
    for which an answer is fresh, in place of the plugin's. ``only_if_cached``: CacheMissError in
    place of a request. ``namespace``: answers are shared within it whatever the key of the caller.
    """

    bypass: bool = field(default=False, validator=_flag)
    no_store: bool = field(default=False, validator=_flag)
    only_if_cached: bool = field(default=False, validator=_flag)
    ttl: float | None = field(default=None, validator=_seconds_or_none)
    namespace: str | None = field(default=None, validator=_name)

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> CacheOptions:
        """Read what a call gave; raises ConfigurationError for what it can't be."""
        known = {attribute.name for attribute in fields(cls)}
        unknown = sorted(set(given) - known)
        if unknown:
            raise ConfigurationError(
                f"plugin_options: caching: {', '.join(unknown)}: unknown; "
                f"known are {', '.join(sorted(known))}",
            )
        return cls(**given)


@define(frozen=True, kw_only=True)
class Freshness:
    """How long answers serve, in seconds.

    ``ttl``: they are fresh. ``stale_while_revalidate``: after that they are served still, while a
    new one is fetched. ``stale_if_error``: after ``ttl`` they are served when the router is down.
    """

    ttl: float = field(default=3600.0, validator=_seconds)
    stale_while_revalidate: float = field(default=0.0, validator=_seconds)
    stale_if_error: float = field(default=0.0, validator=_seconds)


def decider(policy: Policy | Decide) -> Decide | None:
    """Return the function that says whether a request is cached; None for "explicit".

    Raises ConfigurationError for no known policy.
    """
    if callable(policy):
        return policy
    if policy not in _POLICIES:
        raise ConfigurationError(
            f"policy: expected one of {', '.join(_POLICIES)}, or a function of the request",
        )
    return {"deterministic": _deterministic, "all": _always, "explicit": None}[policy]


def _always(request: ChatCompletionRequest) -> bool:
    del request
    return True


def _deterministic(request: ChatCompletionRequest) -> bool:
    def sent(name: str) -> object:
        # What `extra_body` says replaces the field of the same name.
        return request.extra.get(name, getattr(request, name))

    one = sent("n") in (UNSET, None, 1)
    return one and (isinstance(sent("seed"), (int, float)) or sent("temperature") == 0)


class Completeness:
    """Whether an answer, an item at a time, is one worth keeping."""

    def __init__(self) -> None:
        """Begin before the first item."""
        self._seen: set[Any] = set()
        self._finished: set[Any] = set()
        self._refused = False

    def see(self, item: Mapping[str, Any]) -> None:
        """Take one item as JSON data."""
        choices = item.get("choices")
        for at, choice in enumerate(choices if is_list(choices) else ()):
            if is_object(choice):
                self._choice(choice, at)

    def _choice(self, choice: dict[str, Any], at: int) -> None:
        given, reason = choice.get("index"), choice.get("finish_reason")
        # A server may send anything as an index.
        index = given if isinstance(given, (int, str)) else at
        self._seen.add(index)
        if isinstance(reason, str) and reason in _STORED_REASONS:
            self._finished.add(index)
        elif reason:
            self._refused = True
        if any(_refuses(choice.get(name)) for name in ("delta", "message")):
            self._refused = True

    def storable(self, choices: int) -> bool:
        """Tell whether so many choices came to a good end: a stop or tool calls, no refusal."""
        ended = self._seen == self._finished and not self._refused
        return ended and len(self._seen) >= max(1, choices)


def _refuses(said: object) -> bool:
    """Tell whether a message or a delta refuses, in its own field or in a part of its content."""
    if not is_object(said):
        return False
    content = said.get("content")
    parts = content if is_list(content) else ()
    return bool(said.get("refusal")) or any(
        is_object(each) and each.get("refusal") for each in parts
    )
