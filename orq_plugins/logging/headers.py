"""Which headers say nothing that is secret."""

HEADERS = frozenset(
    {
        "accept",
        "content-type",
        "date",
        "idempotency-key",
        "retry-after",
        "retry-after-ms",
        "server",
        "user-agent",
        "x-request-id",
        "x-orq-trace-id",
        "x-ratelimit-limit-requests",
        "x-ratelimit-limit-tokens",
        "x-ratelimit-remaining-requests",
        "x-ratelimit-remaining-tokens",
        "x-ratelimit-reset-requests",
        "x-ratelimit-reset-tokens",
        "x-should-retry",
    },
)
"""Headers whose values may be logged; of others not even the name is."""
