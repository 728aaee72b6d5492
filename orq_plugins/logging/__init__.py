"""Logs calls with the standard library's `logging`: one line each, with structured fields."""

from orq_plugins.logging.headers import HEADERS
from orq_plugins.logging.plugin import Logging

__all__ = ["HEADERS", "Logging"]
