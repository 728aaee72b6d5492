"""Keeps private values out of requests, logs and caches, and gives them back in answers."""

from orq_plugins.redaction.detectors import DEFAULT, CallableDetector, Detector
from orq_plugins.redaction.plugin import Redaction
from orq_plugins.redaction.rewriting import ContentBlockedError
from orq_plugins.redaction.vault import Vault

__all__ = [
    "DEFAULT",
    "CallableDetector",
    "ContentBlockedError",
    "Detector",
    "Redaction",
    "Vault",
]
