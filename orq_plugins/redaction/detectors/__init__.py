"""Detectors of values that ought not to leave: addresses, numbers, keys."""

from __future__ import annotations

from orq_plugins.redaction.detectors.contact import EMAIL, PHONES
from orq_plugins.redaction.detectors.detector import CallableDetector, Detector
from orq_plugins.redaction.detectors.entropy import assigned
from orq_plugins.redaction.detectors.finance import CARDS, IBAN
from orq_plugins.redaction.detectors.identity import US_SSN
from orq_plugins.redaction.detectors.network import IPV4, IPV6, MAC, URL_CREDENTIALS
from orq_plugins.redaction.detectors.secrets import JWT, PRIVATE_KEYS, VENDORS

_SHAPED = (
    *PRIVATE_KEYS,
    JWT,
    *VENDORS,
    URL_CREDENTIALS,
    EMAIL,
    IBAN,
    *CARDS,
    US_SSN,
    MAC,
    IPV6,
    IPV4,
    *PHONES,
)

DEFAULT: tuple[Detector, ...] = (*_SHAPED, *assigned(_SHAPED))
"""What is looked for unless told otherwise; of two at one place the earlier wins."""

__all__ = ["DEFAULT", "CallableDetector", "Detector"]
