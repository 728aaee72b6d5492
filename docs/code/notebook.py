from orq_core import Orq

with Orq() as client:  # a cell that is run again leaves nothing open
    stream = client.router.chat.completions.create(
        model="openai/gpt-4o-mini",
        messages=[{"role": "user", "content": "Why is the sky blue?"}],
        stream=True,
    )
    for text in stream.text_deltas():
        print(text, end="", flush=True)

print(f"\n{stream.info.elapsed:.1f} s")
