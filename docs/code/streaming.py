from orq_core import Orq

with (
    Orq() as client,
    client.router.chat.completions.create(
        model="openai/gpt-4o-mini",
        messages=[{"role": "user", "content": "Count to ten."}],
        stream=True,
        stream_options={"include_usage": True},
    ) as stream,
):
    for chunk in stream:
        if len(chunk.text) > 1000:
            break  # leaving the block closes the connection and stops the bill
    print(stream.partial.text)
