from orq_core import Call, Layer, Orq, hookimpl, observe
from orq_core.testing import DONE, ScriptedTransport, chunk, stream

endings: list[str] = []


class Endings:
    @hookimpl
    def orq_wrap_create(self, call: Call) -> Layer:
        return observe(end=lambda ending: endings.append(f"{ending.outcome} {ending.items}"))


answer = stream(chunk("one"), chunk(" two"), chunk(finish_reason="stop"), DONE)
transport = ScriptedTransport(answer)

with Orq(api_key="fake-key", plugins=[Endings()], discover=False, transport=transport) as client:
    events = client.router.chat.completions.create(
        model="fake/model", messages=[{"role": "user", "content": "hi"}], stream=True
    )
    text = events.completion().text

print(f"{len(transport.requests)} request gave {text!r} and ended {endings}")
print(f"{transport.open_responses} answers are open")
