import platform

from attrs import evolve

from orq_core import Call, ChatCompletionRequest, Layer, Orq, hookimpl, transform


class Deployment:
    """Says in every request which build of the service it comes from."""

    name = "deployment"

    def __init__(self, **facts: str) -> None:
        self.facts = facts

    @hookimpl
    def orq_wrap_create(self, call: Call) -> Layer:
        return transform(request=self.marked)

    def marked(self, request: ChatCompletionRequest) -> ChatCompletionRequest:
        # What the caller says of the same name wins.
        return evolve(request, metadata={**self.facts, **(request.metadata or {})})


if __name__ == "__main__":
    deployment = Deployment(service="search", version="1.4.2", host=platform.node())
    with Orq(plugins=[deployment]) as client:
        answer = client.router.chat.completions.create(
            model="openai/gpt-4o-mini", messages=[{"role": "user", "content": "hi"}]
        )
        print(answer.text)
