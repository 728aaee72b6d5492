from orq_core import Orq
from orq_plugins import RateLimit, RateLimitWaitError

limit = RateLimit(requests_per_minute=3, tokens_per_minute=50_000, concurrency=8, max_wait=0.5)

with Orq(plugins=[limit]) as client:
    for number in range(1, 5):
        try:
            completion = client.router.chat.completions.create(
                model="openai/gpt-4o-mini",
                messages=[{"role": "user", "content": f"Say {number}."}],
                max_tokens=20,
            )
        except RateLimitWaitError as error:
            print(f"{number}: not sent, try again in {error.retry_after or 0:.0f} s")
        else:
            print(f"{number}: {completion.info.notes['rate_limit']}")
