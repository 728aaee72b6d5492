"""What the server answers, by the name of the model that is asked for: ``case[-number]``."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

EVENTS = 2000
# What one write of a server under load carries.
WRITE = 16 * 1024
# Seconds between two events of all streams, and after the first one of a stream that is held.
PAUSE = 0.0005
HELD = 1.0

DONE = b"data: [DONE]\n\n"
USAGE = {
    "prompt_tokens": 10,
    "completion_tokens": 100,
    "total_tokens": 110,
    "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
    "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
}


def _json(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def event(
    number: int, text: str | None = None, finish: str | None = None, logprobs: Any = None
) -> bytes:
    """Make a chunk of 300 bytes, as the busiest provider of the recorded traffic sends it."""
    delta = {"content": f" token{number:05}" if text is None else text}
    choice = {"index": 0, "delta": delta, "logprobs": logprobs, "finish_reason": finish}
    body = {
        "id": "chatcmpl-fake0123456789fake",
        "object": "chat.completion.chunk",
        "created": 1763900000,
        "model": "openai/gpt-4o-mini-2024-07-18",
        "service_tier": "default",
        "system_fingerprint": "fp_fake123456",
        "choices": [choice],
        "usage": None,
    }
    return b"data: " + _json(body) + b"\n\n"


@cache
def events(count: int) -> tuple[bytes, ...]:
    """Make a stream of so many chunks."""
    return (*map(event, range(count - 1)), event(count - 1, finish="stop"), DONE)


@cache
def large_event(megabytes: int) -> bytes:
    """Make a stream of one chunk of so many megabytes."""
    return event(0, "x" * (megabytes * 2**20), finish="stop") + DONE


@cache
def dense_event(megabytes: int) -> bytes:
    """Make a stream of one chunk of so many megabytes of log probabilities."""
    other = [{"token": word, "logprob": -1.5, "bytes": [97]} for word in "abcd"]
    token = {"token": "tok", "logprob": -0.5, "bytes": [116, 111, 107], "top_logprobs": other}
    count = megabytes * 2**20 // len(_json(token))
    return event(0, "x", finish="stop", logprobs={"content": [token] * count}) + DONE


@cache
def completion(kilobytes: int) -> bytes:
    """Make an answer of 1.2 KB, or one of 50 KB with log probabilities and tool calls."""
    message: dict[str, Any] = {"role": "assistant", "content": "x" * 700, "refusal": None}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}
    if kilobytes > 10:
        call = json.dumps({"query": "y" * 200})
        message["tool_calls"] = [
            {"id": f"call_{n}", "type": "function", "function": {"name": "f", "arguments": call}}
            for n in range(20)
        ]
        other = [{"token": word, "logprob": -1.0, "bytes": [97]} for word in "ab"]
        tokens = [
            {"token": f"tok{n}", "logprob": -0.5, "bytes": [1, 2, 3], "top_logprobs": other}
            for n in range(260)
        ]
        choice["logprobs"] = {"content": tokens, "refusal": None}
    return _json(
        {
            "id": "chatcmpl-fake0123456789fake",
            "object": "chat.completion",
            "created": 1763900000,
            "model": "openai/gpt-4o-mini-2024-07-18",
            "service_tier": "default",
            "system_fingerprint": "fp_fake123456",
            "choices": [choice],
            "usage": USAGE,
        }
    )
