from collections.abc import Callable

from orq_core import Call, ChatCompletionRequest, Items, Layer, Orq, Proceed, hookimpl


class FirstToken:
    """Measures how long a reader waits for the first words of a stream, in seconds."""

    name = "first-token"

    def __init__(self, record: Callable[[str, float], object]) -> None:
        self.record = record

    @hookimpl
    def orq_wrap_create(self, call: Call) -> Layer | None:
        return self.around if call.stream else None

    async def around(self, call: Call, request: ChatCompletionRequest, proceed: Proceed) -> Items:
        began, waiting = call.now(), True
        async for item in proceed(request):
            if waiting and item.text:
                waiting = False
                self.record(str(request.model), call.now() - began)
            yield item


if __name__ == "__main__":
    plugin = FirstToken(lambda model, seconds: print(f"{model}: {seconds:.3f} s"))
    with Orq(plugins=[plugin]) as client:
        client.router.chat.completions.create(
            model="openai/gpt-4o-mini",
            messages=[{"role": "user", "content": "Count to three."}],
            stream=True,
        ).completion()
