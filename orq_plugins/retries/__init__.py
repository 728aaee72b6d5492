"""Repeats calls that failed for reasons that pass; found by its entry point, so on by default."""

from orq_plugins.retries.plugin import Retries

__all__ = ["Retries"]
