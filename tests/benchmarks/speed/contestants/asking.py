"""What every contestant asks, and with which key."""

from __future__ import annotations

from typing import Any

KEY = "fake-key-0123456789"


def ask(model: str, *, stream: bool = False) -> dict[str, Any]:
    messages = [{"role": "user", "content": "Say something."}]
    asked: dict[str, Any] = {"model": model, "messages": messages}
    return {**asked, "stream": True} if stream else asked
