from attrs import evolve

from orq_core import (
    APIConnectionError,
    APITimeoutError,
    Call,
    ChatCompletionRequest,
    InternalServerError,
    Items,
    Layer,
    NotFoundError,
    Orq,
    Proceed,
    RateLimitError,
    hookimpl,
)

PASSING = (
    APIConnectionError,
    APITimeoutError,
    InternalServerError,
    NotFoundError,
    RateLimitError,
)


class OtherModel:
    """Asks other models in turn when one fails before it said anything."""

    name = "other-model"

    def __init__(self, *models: str) -> None:
        self.models = models

    @hookimpl
    def orq_wrap_create(self, call: Call) -> Layer:
        return self.around

    async def around(self, call: Call, request: ChatCompletionRequest, proceed: Proceed) -> Items:
        left = list(self.models)
        while True:
            silent = True
            try:
                async for item in proceed(request):
                    silent = False
                    yield item
            except PASSING as error:
                late = isinstance(error, APITimeoutError) and error.kind == "total"
                if late or not left or not silent:
                    raise
            else:
                call.note(self.name, model=request.model)
                return
            request = evolve(request, model=left.pop(0))


if __name__ == "__main__":
    with Orq(plugins=[OtherModel("anthropic/claude-haiku-4-5", "mistral/small")]) as client:
        answer = client.router.chat.completions.create(
            model="openai/gpt-4o-mini", messages=[{"role": "user", "content": "hi"}]
        )
        print(answer.text, answer.info.notes["other-model"])
