from orq_core import APIStatusError, Orq

client = Orq(api_key="fake-key", timeout=30, retries=2)

completion = client.router.chat.completions.create(
    model="openai/gpt-4o-mini",  # provider/model
    messages=[{"role": "user", "content": "hi"}],
    extra_body={"user": "u-17"},
    http_headers={"X-Team": "search"},
)
print(completion.choices[0].message.content, completion.info.request_id)

with client.router.chat.completions.create(
    model="openai/gpt-4o-mini",
    messages=[{"role": "user", "content": "hi"}],
    stream=True,
) as stream:
    for chunk in stream:
        if chunk.choices:
            print(chunk.choices[0].delta.content or "", end="")
    print(stream.partial.choices[0].finish_reason)

try:
    client.with_options(timeout=5).router.chat.completions.create(
        model="openai/gpt-4o-mini",
        messages=[],
    )
except APIStatusError as error:
    print(error.status_code, error.code, error.request_id)

client.close()
