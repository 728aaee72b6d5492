"""What all models are built on: UNSET, and the two bases for answers and requests."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Any, Final, Literal

from attrs import define, field, fields

if TYPE_CHECKING:
    from collections.abc import Callable


class Unset(Enum):
    """The type of `UNSET`."""

    UNSET = "UNSET"

    def __bool__(self) -> Literal[False]:
        return False

    def __repr__(self) -> str:
        return "UNSET"


UNSET: Final = Unset.UNSET
"""Not given, and so not sent; None is given, and is sent as null."""

kind_of: Callable[[Any], type[Any]] = type
"""``type``, for values of which type checkers know nothing."""

NOTHING_GIVEN: frozenset[str] = frozenset()


@define(kw_only=True)
class Answer:
    """Base of what the router answers.

    A known field that is absent or null is None; a list or model that is always there is empty.
    ``extra`` holds the unknown fields, and known ones that arrived in a shape they should not have
    (a usage that is a string), as they came; of a list of choices with a null in it, the choices
    are read and ``extra`` has the list as well. `to_dict` gives back what arrived: fields that were
    null as null, absent ones not at all.
    """

    extra: dict[str, Any] = field(factory=dict[str, Any])
    # The fields that arrived although they hold their default now: absent and null differ.
    _given: frozenset[str] = field(default=NOTHING_GIVEN, alias="_given", repr=False, eq=False)


@define(kw_only=True, repr=False)
class Request:
    """Base of what is sent: a field that is `UNSET` is left out, one that is None is null.

    ``extra`` holds the fields this class doesn't know; they are sent as they are, and replace known
    fields of the same name. The repr names the fields and not what is in them: prompts are private.
    """

    extra: dict[str, Any] = field(factory=dict[str, Any])

    def __repr__(self) -> str:
        names = (each.name for each in fields(type(self)) if each.name != "extra")
        given = [name for name in names if getattr(self, name) is not UNSET]
        return f"<{type(self).__name__} {' '.join([*given, *map(str, self.extra)])}>"
