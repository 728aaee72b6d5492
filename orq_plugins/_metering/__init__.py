"""What `RateLimit` and `Budget` share: whose limit it is, how much a call takes, safe stores."""

from orq_plugins._metering.checks import checked_number, checked_options, checked_whole
from orq_plugins._metering.guard import Guard, OnFailure
from orq_plugins._metering.meter import Meter, Tokens, consumed, never_arrived
from orq_plugins._metering.scope import Scope, ScopeOf, digest, model_of, scope_of
from orq_plugins._metering.tokens import Estimate, expected_tokens, prompt_tokens

__all__ = [
    "Estimate",
    "Guard",
    "Meter",
    "OnFailure",
    "Scope",
    "ScopeOf",
    "Tokens",
    "checked_number",
    "checked_options",
    "checked_whole",
    "consumed",
    "digest",
    "expected_tokens",
    "model_of",
    "never_arrived",
    "prompt_tokens",
    "scope_of",
]
