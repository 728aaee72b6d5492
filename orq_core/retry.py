"""How often a call is repeated: the seed SDK's settings and today's; the `retries` plugin acts."""

from __future__ import annotations

from typing import Any, Literal

from attrs import Attribute, define, field

from orq_core.errors import ConfigurationError


def _positive(instance: object, attribute: Attribute[Any], value: object) -> None:
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not value >= 0:
        raise ConfigurationError(
            f"{type(instance).__name__}: {attribute.name}: expected a number that is not negative",
        )


@define
class BackoffStrategy:
    """The seed SDK's back-off. All times are milliseconds.

    The pause before repeat k (from 0) is ``initial_interval * exponent ** k``, capped at
    ``max_interval``; after ``max_elapsed_time`` since the first attempt nothing is repeated.
    """

    initial_interval: int = field(validator=_positive)
    max_interval: int = field(validator=_positive)
    exponent: float = field(validator=_positive)
    max_elapsed_time: int = field(validator=_positive)


@define
class RetryConfig:
    """The seed SDK's retry settings; only ``strategy="backoff"`` repeats anything.

    ``retry_connection_errors``: whether failures to connect and time-outs are repeated too.
    """

    strategy: Literal["backoff"] | str  # noqa: PYI051 - the literal is listed for the reader: of all strings that are accepted it is the one that has an effect
    backoff: BackoffStrategy
    retry_connection_errors: bool


@define(frozen=True)
class RetryPolicy:
    """Repeats with exponential back-off and full jitter. Times are seconds.

    ``max_repeats`` counts after the first attempt. The pause before repeat k (from 0) is drawn
    evenly from 0 to ``min(max_delay, base_delay * 2 ** k)``, at least ``min_delay``. A server that
    asks for more than ``max_retry_after`` gets no repeat.
    """

    max_repeats: int = field(default=2, validator=_positive)
    base_delay: float = field(default=0.5, validator=_positive)
    max_delay: float = field(default=8.0, validator=_positive)
    min_delay: float = field(default=0.05, validator=_positive)
    max_retry_after: float = field(default=60.0, validator=_positive)


def retries_checked(value: object) -> RetryConfig | RetryPolicy | int | None:
    """Return a ``retries`` argument as it is; raises ConfigurationError for what it can't be."""
    if value is None or isinstance(value, (RetryConfig, RetryPolicy)):
        return value
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    raise ConfigurationError(
        "retries: expected None, the number of repeats, a RetryConfig or a RetryPolicy, "
        f"got {type(value).__name__}",
    )
