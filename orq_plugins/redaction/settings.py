"""What `Redaction` is told to do, checked."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, get_args

from attrs import define, field, fields

from orq_core import ConfigurationError

if TYPE_CHECKING:
    from attrs import Attribute

    from orq_plugins.redaction.detectors import CallableDetector, Detector

Action = Literal["placeholder", "mask", "hash", "drop", "block"]
"""What is put in place of a match; see `Redaction`."""

Mode = Literal["enforce", "audit", "off"]
OnOverflow = Literal["mask_tail", "block", "release"]
MediaPolicy = (
    Literal["allow", "block", "strip"] | Callable[[dict[str, Any]], "dict[str, Any] | None"]
)
"""What becomes of a part that is no text; a function gets the part and returns what is sent."""

_NONE: Mapping[str, Action] = MappingProxyType({})
_MEDIA = ("allow", "block", "strip")


def _one_of(*choices: str) -> Callable[[object, Attribute[Any], object], None]:
    def check(instance: object, attribute: Attribute[Any], value: object) -> None:
        del instance
        if value not in choices:
            raise ConfigurationError(f"{attribute.name}: expected one of {', '.join(choices)}")

    return check


def _media(instance: object, attribute: Attribute[Any], value: object) -> None:
    del instance
    if not callable(value) and value not in _MEDIA:
        raise ConfigurationError(
            f"{attribute.name}: expected one of {', '.join(_MEDIA)}, or a function",
        )


def _actions(instance: object, attribute: Attribute[Any], value: Mapping[str, str]) -> None:
    del instance
    for entity, action in value.items():
        if action not in get_args(Action):
            raise ConfigurationError(
                f"{attribute.name}: {entity}: expected one of {', '.join(get_args(Action))}",
            )


def _positive(instance: object, attribute: Attribute[Any], value: object) -> None:
    del instance
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ConfigurationError(f"{attribute.name}: expected a positive number of characters")


@define(frozen=True, kw_only=True)
class Settings:
    """The keyword arguments of `Redaction`, where they are explained."""

    action: Action = field(default="placeholder", validator=_one_of(*get_args(Action)))
    actions: Mapping[str, Action] = field(default=_NONE, validator=_actions)
    answer_action: Action = field(default="mask", validator=_one_of(*get_args(Action)))
    answer_actions: Mapping[str, Action] = field(default=_NONE, validator=_actions)
    mode: Mode = field(default="enforce", validator=_one_of(*get_args(Mode)))
    images: MediaPolicy = field(default="allow", validator=_media)
    audio: MediaPolicy = field(default="allow", validator=_media)
    files: MediaPolicy = field(default="allow", validator=_media)
    max_hold_chars: int = field(default=32768, validator=_positive)
    on_overflow: OnOverflow = field(default="mask_tail", validator=_one_of(*get_args(OnOverflow)))
    hash_key: bytes = field(factory=lambda: secrets.token_bytes(32), repr=False)


def digest_of(settings: Settings, detectors: Iterable[Detector | CallableDetector]) -> str:
    """Return what tells apart ways to redact answers, the same in every process.

    Functions count by their names.
    """
    found = [
        [_written(getattr(each, field.name)) for field in fields(type(each))] for each in detectors
    ]
    done = (
        settings.answer_action,
        sorted(settings.answer_actions.items()),
        settings.max_hold_chars,
        settings.on_overflow,
    )
    return hashlib.sha256(repr((found, done)).encode("utf-8", "surrogatepass")).hexdigest()[:12]


def _written(value: object) -> str:
    name = getattr(value, "__qualname__", None)
    if name is not None:
        return f"{value.__module__}.{name}"
    # Otherwise it says where the object is in memory.
    says_more = type(value).__repr__ is not object.__repr__
    return repr(value) if says_more else type(value).__qualname__
