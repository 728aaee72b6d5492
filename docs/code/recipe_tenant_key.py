import os
from contextvars import ContextVar

from orq_core import Orq

tenant: ContextVar[str] = ContextVar("tenant")


def key() -> str:
    """Asked once per call, in the caller's thread or task."""
    return os.environ[f"ORQ_API_KEY_{tenant.get().upper()}"]


if __name__ == "__main__":
    os.environ["ORQ_API_KEY_BLUE"] = "fake-key-blue"  # your secret store sets it
    with Orq(api_key=key) as client:
        tenant.set("blue")
        answer = client.router.chat.completions.create(
            model="openai/gpt-4o-mini", messages=[{"role": "user", "content": "hi"}]
        )
        print(answer.text)
