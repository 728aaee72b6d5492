from typing import Any

from orq_core import Orq

messages: list[Any] = [{"role": "user", "content": "Name a colour."}]

with Orq() as client:
    first = client.router.chat.completions.create(model="openai/gpt-4o-mini", messages=messages)
    messages.append(first.choices[0].message)  # the answer goes back as it came
    messages.append({"role": "user", "content": "And another one."})
    second = client.router.chat.completions.create(model="openai/gpt-4o-mini", messages=messages)

print(second.text)
