"""Fixtures of the plugins' tests."""

from tests.plugins.valkey_server import valkey

__all__ = ["valkey"]
