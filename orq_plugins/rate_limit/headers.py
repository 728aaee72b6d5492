"""What a server says of its own limits: ``x-ratelimit-limit-*``, ``-remaining-*``, ``-reset-*``."""

from __future__ import annotations

import math
import re
import time
from collections import deque
from typing import TYPE_CHECKING

from attrs import define

if TYPE_CHECKING:
    from collections.abc import Mapping

LONGEST = 600.0  # seconds that one answer can make others wait; then one call tries again
_LOST = 1024  # requests that never arrived and are remembered

# The names of OpenAI, which most gateways send; the bare ones are Orq's and count requests.
_NAMES = {"requests": ("-requests", ""), "tokens": ("-tokens",)}
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_NUMBER = re.compile(r"\d{1,15}(?:\.\d{1,9})?")
_A_DATE = 1e9  # a number so large is not a duration but a time since 1970


@define
class Told:
    """One limit as the server sees it: what was left ``at`` a time, and how it comes back.

    ``rate``: so much a second, for limits that fill up steadily; None when all of it comes at
    ``until``. ``heard``: the number of the request whose answer told it.
    """

    limit: float
    left: float
    at: float
    rate: float | None
    until: float
    heard: int = 0

    def wait(self, now: float, need: float) -> float:
        """Return the seconds until the server would let so much through."""
        need = min(need, self.limit)
        if now >= self.until:
            return 0.0
        if self.rate is None:
            return self.until - now if self.left < need else 0.0
        missing = need - self.left - self.rate * (now - self.at)
        return max(0.0, min(missing / self.rate, self.until - now))


class Hearing:
    """What the answers of one scope said, and what was sent since; not thread-safe."""

    __slots__ = ("_heard", "_lost", "_sent", "_told")

    def __init__(self) -> None:
        """Begin with nothing heard."""
        self._told: dict[str, Told] = {}
        self._sent = {"requests": 0, "tokens": 0}
        self._heard = 0
        # Numbers and tokens of requests that never arrived, as far as an older one may be answered.
        self._lost: deque[tuple[int, int]] = deque(maxlen=_LOST)

    def wait(self, now: float, tokens: int) -> float:
        """Return the seconds until the server would take a request of so many tokens."""
        needs = {"requests": 1, "tokens": tokens}
        return max(
            (told.wait(now, needs[name]) for name, told in tuple(self._told.items())), default=0.0
        )

    def send(self, tokens: int) -> tuple[int, int]:
        """Take note of a request on its way; returns a mark for `hear`."""
        for name, amount in (("requests", 1), ("tokens", tokens)):
            self._sent[name] += amount
            told = self._told.get(name)
            if told is not None:
                told.left -= amount
        return self._sent["requests"], self._sent["tokens"]

    def lose(self, tokens: int, mark: tuple[int, int]) -> None:
        """Take back a request of so many tokens that never reached the server."""
        for name, amount in (("requests", 1), ("tokens", tokens)):
            told = self._told.get(name)
            # A later request's answer told a figure in which this one never was.
            if told is not None and told.heard < mark[0]:
                told.left += amount
        if mark[0] > self._heard:
            self._lost.append((mark[0], tokens))

    def hear(self, now: float, headers: Mapping[str, str], mark: tuple[int, int]) -> None:
        """Take in the headers (names in lower case) of the request that got this mark."""
        if mark[0] < self._heard:
            return  # a later request was answered first, and its word holds
        lost = [each for each in self._lost if each[0] > mark[0]]
        never = {"requests": len(lost), "tokens": sum(tokens for _, tokens in lost)}
        for (name, suffixes), sent in zip(_NAMES.items(), mark, strict=True):
            told = next(filter(None, (_told(now, headers, each) for each in suffixes)), None)
            if told is not None:
                # What was sent after this one may not be in the server's figure.
                told.left -= self._sent[name] - sent - never[name]
                told.heard = mark[0]
                self._told[name] = told
                self._heard = mark[0]
                self._lost = deque(lost, _LOST)


def _told(now: float, headers: Mapping[str, str], suffix: str) -> Told | None:
    """Read one limit; None when it is not told, not readable, or not touched."""
    left = _number(headers.get(f"x-ratelimit-remaining{suffix}", ""))
    back = seconds(headers.get(f"x-ratelimit-reset{suffix}", ""))
    if left is None or back is None or back <= 0:
        return None
    limit = _number(headers.get(f"x-ratelimit-limit{suffix}", ""))
    steady = bool(suffix) and limit is not None and limit > left
    # OpenAI's reset is the time until all is back, and it comes back steadily.
    rate = (limit - left) / back if steady and limit is not None else None
    most = math.inf if limit is None else limit
    return Told(most, left, now, rate, now + min(back, LONGEST))


def seconds(value: str) -> float | None:
    """Read a reset: ``6ms``, ``1m30s``, ``58s``, a number of seconds, or a time since 1970."""
    value = value.strip().lower()
    number = _number(value)
    if number is not None:
        return number - time.time() if number >= _A_DATE else number
    if not value or len(value) > 40 or _PART.sub("", value):
        return None
    return sum(float(amount) * _UNITS[unit] for amount, unit in _PART.findall(value))


def _number(value: str) -> float | None:
    return float(value) if _NUMBER.fullmatch(value.strip()) else None
