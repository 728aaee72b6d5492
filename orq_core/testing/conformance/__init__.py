"""The conformance kit: `check_plugin` and what it reports."""

from orq_core.testing.conformance.check import Check, Options, check_plugin, frozen, plan
from orq_core.testing.conformance.report import PluginCheckError, Report, Verdict
from orq_core.testing.conformance.rules import RULES, Rule

__all__ = [
    "RULES",
    "Check",
    "Options",
    "PluginCheckError",
    "Report",
    "Rule",
    "Verdict",
    "check_plugin",
    "frozen",
    "plan",
]
