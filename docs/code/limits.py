from orq_core import Orq, Timeout

patient = Timeout(connect=5, first_event=60, idle=20, total=120)

with Orq(timeout=patient) as client:
    completion = client.router.chat.completions.create(
        model="openai/gpt-4o-mini",
        messages=[{"role": "user", "content": "Be quick."}],
        timeout_ms=30_000,  # for this call: all of it, repeats included, is over in 30 s
    )

print(completion.text)
