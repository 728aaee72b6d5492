import logging
import sys

from orq_core import Orq
from orq_plugins import Logging

handler = logging.StreamHandler(sys.stdout)
handler.setFormatter(logging.Formatter("%(message)s attempts=%(attempts)s bytes=%(bytes)s"))
logger = logging.getLogger("orq.call")
logger.addHandler(handler)
logger.setLevel(logging.INFO)

with Orq(plugins=[Logging()]) as client:
    client.router.chat.completions.create(
        model="openai/gpt-4o-mini",
        messages=[{"role": "user", "content": "Is the weather good?"}],
    )

logger.removeHandler(handler)
