"""Answers of every status and content."""

from __future__ import annotations

from orq_core import (
    InternalServerError,
    RateLimitError,
)
from tests.faults.table import Expect, Row, answers

ROWS = [
    Row(
        "429 with Retry-After",
        answers(
            b'{"error":{"message":"slow down","code":"rate_limit"}}',
            "Retry-After: 0",
            status="429 Too Many",
        ),
        Expect(
            RateLimitError, attributes={"code": "rate_limit", "retry_after": 0.0}, says="slow down"
        ),
        repeated=True,
    ),
    Row(
        "500 with HTML",
        answers(b"<html><title>Oops</title></html>", status="500 Oops", kind="text/html"),
        Expect(InternalServerError, attributes={"status_code": 500}, says="Oops"),
        repeated=True,
    ),
]
