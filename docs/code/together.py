from orq_core import Orq
from orq_plugins import Caching, Logging, Redaction, Retries

four = [Caching(), Retries(), Logging(), Redaction()]  # in any order

with Orq(plugins=four) as client:
    for _ in range(2):
        completion = client.router.chat.completions.create(
            model="openai/gpt-4o-mini",
            messages=[{"role": "user", "content": "Write to jane.doe@example.com"}],
            temperature=0,
        )
        cached = completion.info.notes["caching"]["result"]
        print(f"{cached}: {completion.text}, {len(completion.info.attempts)} attempts")
