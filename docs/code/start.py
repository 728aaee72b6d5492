from orq_core import Orq

with Orq() as client:  # the key is in ORQ_API_KEY
    stream = client.router.chat.completions.create(
        model="openai/gpt-4o-mini",
        messages=[{"role": "user", "content": "Why is the sky blue?"}],
        stream=True,
    )
    for text in stream.text_deltas():
        print(text, end="", flush=True)
