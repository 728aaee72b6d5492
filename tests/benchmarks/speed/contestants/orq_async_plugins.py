"""This client with all four plugins, ablocking."""

from __future__ import annotations

from orq_plugins import Caching, Logging, Redaction, Retries
from tests.benchmarks.speed.contestants import orq_async


class Contestant(orq_async.Contestant):
    plugins = (Redaction(), Logging(), Caching(max_entry_bytes=2**26), Retries())
