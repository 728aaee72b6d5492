from orq_core import BackoffStrategy, Orq, OrqError, RetryConfig

patience = RetryConfig("backoff", BackoffStrategy(500, 8_000, 1.5, 60_000), True)

with Orq(api_key="fake-key", timeout=60) as client:
    answer = client.router.chat.completions.create(
        model="openai/gpt-4o-mini",
        messages=[{"role": "user", "content": "hi"}],
        fallbacks=[{"model": "anthropic/claude-haiku-4-5"}],
        retries=patience,
        timeout_ms=30_000,
        stream=True,
    )
    try:
        with answer as event_stream:
            for event in event_stream:
                for choice in event.data.choices:
                    print(choice.delta.content or "", end="", flush=True)
    except OrqError as error:
        print(error, error.request_id)
