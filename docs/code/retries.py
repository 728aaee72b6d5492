from orq_core import Orq, OrqError, RetryPolicy
from orq_plugins.retries import Retries

# Retries is found by itself; giving it is for settings of its own.
patient = Retries(policy=RetryPolicy(max_repeats=4, base_delay=1.0, max_delay=20.0))

with Orq(plugins=[patient], timeout=120) as client:
    create = client.router.chat.completions.create
    messages = [{"role": "user", "content": "Is the weather good?"}]

    try:
        print(create(model="openai/gpt-4o-mini", messages=messages).text)
    except OrqError as error:
        print(f"gave up after {len(error.attempts)} attempts: {error}")

    once = create(model="openai/gpt-4o-mini", messages=messages, retries=None)
    print(once.text, "(or an error at once)")
