"""The seed SDK's ``utils``: retry settings."""

from orq_core.retry import BackoffStrategy, RetryConfig

__all__ = ["BackoffStrategy", "RetryConfig"]
