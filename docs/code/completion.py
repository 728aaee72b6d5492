from orq_core import Orq

with Orq() as client:
    completion = client.router.chat.completions.create(
        model="openai/gpt-4o-mini",
        messages=[
            {"role": "system", "content": "Answer in one sentence."},
            {"role": "user", "content": "Why is the sky blue?"},
        ],
        temperature=0.2,
    )

print(completion.text)
print(completion.choices[0].finish_reason, completion.usage)
print(completion.info.status, completion.info.request_id, completion.info.elapsed)
