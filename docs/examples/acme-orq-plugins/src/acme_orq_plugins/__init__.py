"""What Acme puts around each call of the router."""

from acme_orq_plugins.numbering import Numbering
from acme_orq_plugins.policy import PolicyError, PolicyGate, TeamPolicy
from acme_orq_plugins.tenancy import Tenancy, TenancyError, acting_for

__all__ = [
    "Numbering",
    "PolicyError",
    "PolicyGate",
    "TeamPolicy",
    "Tenancy",
    "TenancyError",
    "acting_for",
]
