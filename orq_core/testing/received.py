"""A request as a server saw it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from attrs import define, field
from requests.structures import CaseInsensitiveDict

if TYPE_CHECKING:
    from collections.abc import Mapping


def _any_case(headers: Mapping[str, str]) -> Mapping[str, str]:
    return CaseInsensitiveDict(headers)


@define(frozen=True)
class Received:
    """One request as it arrived; the names of its headers are found in any case."""

    method: str
    path: str
    headers: Mapping[str, str] = field(repr=False, converter=_any_case)
    body: bytes = field(repr=False)

    @property
    def json(self) -> Any:
        """The body, read; None if it is no JSON."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None
