from contextlib import aclosing

from attrs import evolve

from orq_core import (
    Call,
    ChatCompletion,
    ChatCompletionRequest,
    Item,
    Items,
    Layer,
    Orq,
    Proceed,
    hookimpl,
)


class StopAt:
    """Ends an answer before a word, however the stream cuts it; the connection is released."""

    name = "stop-at"

    def __init__(self, word: str) -> None:
        self.word = word

    @hookimpl
    def orq_wrap_create(self, call: Call) -> Layer | None:
        return self.around if (call.request.n or 1) == 1 else None

    async def around(self, call: Call, request: ChatCompletionRequest, proceed: Proceed) -> Items:
        held = ""
        async with aclosing(proceed(request)) as items:
            async for item in items:
                if not item.choices:  # a last event with the usage alone
                    yield item
                    continue
                held += item.text
                found = held.find(self.word)
                if found >= 0:
                    yield saying(item, held[:found], "stop")
                    return
                # The end of what came may be the beginning of the word.
                over = bool(item.choices[0].finish_reason)
                ready = len(held) if over else max(0, len(held) - len(self.word) + 1)
                yield saying(item, held[:ready], item.choices[0].finish_reason)
                held = held[ready:]


def saying(item: Item, text: str, finish_reason: str | None) -> Item:
    """Return a copy of an item that says something else."""
    if isinstance(item, ChatCompletion):
        whole = item.choices[0]
        message = evolve(whole.message, content=text)
        return evolve(item, choices=[evolve(whole, message=message, finish_reason=finish_reason)])
    piece = item.choices[0]
    delta = evolve(piece.delta, content=text)
    return evolve(item, choices=[evolve(piece, delta=delta, finish_reason=finish_reason)])


if __name__ == "__main__":
    with Orq(plugins=[StopAt("STOP")]) as client:
        stream = client.router.chat.completions.create(
            model="openai/gpt-4o-mini",
            messages=[{"role": "user", "content": "one two STOP three"}],
            stream=True,
        )
        print(stream.completion().text)
