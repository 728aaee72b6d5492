import zlib
from queue import Full, Queue
from threading import Thread

from attrs import define

from orq_core import Call, ChatCompletionRequest, Items, Layer, Orq, Proceed, hookimpl


@define(frozen=True)
class Sample:
    """One call, for whoever judges answers."""

    call_id: str
    request: ChatCompletionRequest
    text: str


class Sampling:
    """Hands a fraction of all finished calls to a queue, and never waits for it."""

    name = "sampling"

    def __init__(self, queue: "Queue[Sample | None]", fraction: float) -> None:
        self.queue = queue
        self.fraction = fraction
        self.dropped = 0

    @hookimpl
    def orq_wrap_create(self, call: Call) -> Layer | None:
        chosen = zlib.crc32(call.id.encode()) < self.fraction * 2**32
        return self.around if chosen else None

    async def around(self, call: Call, request: ChatCompletionRequest, proceed: Proceed) -> Items:
        texts: list[str] = []
        async for item in proceed(request):
            texts.append(item.text)
            yield item
        try:
            self.queue.put_nowait(Sample(call.id, request, "".join(texts)))
        except Full:
            self.dropped += 1


def judge(queue: "Queue[Sample | None]") -> None:
    while (sample := queue.get()) is not None:
        print(f"{sample.call_id[:4]}…: {len(sample.text)} characters")


if __name__ == "__main__":
    queue: Queue[Sample | None] = Queue(maxsize=100)
    worker = Thread(target=judge, args=[queue])
    worker.start()
    with Orq(plugins=[Sampling(queue, fraction=1.0)]) as client:
        client.router.chat.completions.create(
            model="openai/gpt-4o-mini", messages=[{"role": "user", "content": "hi"}]
        )
    queue.put(None)
    worker.join()
