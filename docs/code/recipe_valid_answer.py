import json
from collections.abc import Callable

from attrs import evolve

from orq_core import (
    Call,
    ChatCompletionRequest,
    Item,
    Items,
    Layer,
    Orq,
    OrqError,
    Proceed,
    hookimpl,
)
from orq_core.models import AssistantMessage, UserMessage


class InvalidAnswerError(OrqError):
    """The answer did not become valid."""


class Validated:
    """Holds an answer back until it is valid; asks once more, with what was wrong."""

    name = "validated"

    def __init__(self, check: Callable[[str], object]) -> None:
        self.check = check  # raises ValueError

    @hookimpl
    def orq_wrap_create(self, call: Call) -> Layer:
        return self.around

    async def around(self, call: Call, request: ChatCompletionRequest, proceed: Proceed) -> Items:
        for repeats in (0, 1):
            held: list[Item] = [item async for item in proceed(request)]
            text = "".join(item.text for item in held)
            try:
                self.check(text)
            except ValueError as error:
                wrong = f"That is not valid: {error}. Answer again, and with nothing else."
            else:
                call.note(self.name, repeats=repeats)
                for item in held:
                    yield item
                return
            answer, complaint = AssistantMessage(content=text), UserMessage(content=wrong)
            request = evolve(request, messages=[*(request.messages or []), answer, complaint])
        raise InvalidAnswerError("the answer was not valid, twice")


if __name__ == "__main__":
    with Orq(plugins=[Validated(json.loads)]) as client:
        answer = client.router.chat.completions.create(
            model="openai/gpt-4o-mini", messages=[{"role": "user", "content": '{"answer": 42}'}]
        )
        print(json.loads(answer.text), answer.info.notes["validated"])
