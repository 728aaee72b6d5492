from attrs import evolve

from orq_core import Call, ChatCompletionRequest, Layer, Orq, hookimpl, transform
from orq_core.models import SystemMessage


class HouseStyle:
    name = "house-style"

    @hookimpl
    def orq_wrap_create(self, call: Call) -> Layer:
        return transform(request=self.styled)

    def styled(self, request: ChatCompletionRequest) -> ChatCompletionRequest:
        rule = SystemMessage(content="Use British spelling.")
        return evolve(request, messages=[rule, *(request.messages or [])])


if __name__ == "__main__":
    with Orq(plugins=[HouseStyle()]) as client:
        stream = client.router.chat.completions.create(
            model="openai/gpt-4o-mini",
            messages=[{"role": "user", "content": "Describe the color gray."}],
            stream=True,
        )
        for text in stream.text_deltas():
            print(text, end="")
