"""The seed SDK's names, so that code written for it changes its import line only.

    import orq_core.compat as orq_poc_python_client
    from orq_core.compat import Orq

What differs, on purpose: streams of JSON chunks work, and their events are chunks with ``data``;
requests keep fields and numbers as they were given, and are checked more strictly; the default
server is https://my.orq.ai; ``ORQ_API_KEY`` is read; ``timeout_ms`` bounds a whole call; failed
connections are this library's errors, not an HTTP library's. As there, nothing is repeated unless
``retry_config`` or ``retries`` says so.
"""

from typing import Any

from orq_core.compat import models, utils
from orq_core.compat.client import Orq, OrqCompletions
from orq_core.compat.errors import SDKError
from orq_core.compat.models import *  # noqa: F403 - the names in its `__all__`: the package that this replaces exports all of its models from here
from orq_core.compat.utils import BackoffStrategy, RetryConfig

__all__ = [
    "BackoffStrategy",
    "Orq",
    "OrqCompletions",
    "RetryConfig",
    "SDKError",
    "models",
    "utils",
]
__all__ += models.__all__


def __getattr__(name: str) -> Any:
    """Find the ``…TypedDict`` names where the models are."""
    return getattr(models, name)
