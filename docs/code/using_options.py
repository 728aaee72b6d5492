from orq_core import Orq
from orq_plugins import Caching, Logging

with Orq(
    plugins=[Logging(), Caching(policy="all")],
    plugin_options={"caching": {"ttl": 600}},  # for every call of this client
) as client:
    create = client.router.chat.completions.create
    messages = [{"role": "user", "content": "Is the weather good?"}]
    for options in ({}, {}, {"caching": {"bypass": True}}):  # for one call
        answer = create(model="openai/gpt-4o-mini", messages=messages, plugin_options=options)
        print(answer.info.notes["caching"]["result"])

    nightly = client.with_options(plugin_options={"caching": {"ttl": 86400}})
    print(nightly.router.chat.completions.create(model="m", messages=messages).text)
    print([name for name, _ in client.plugins])  # outermost first
