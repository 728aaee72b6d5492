from orq_core import Call, Items, Layer, Proceed, hookimpl
from orq_core.models import ChatCompletionRequest
from orq_core.testing import check_plugin


class Stamp:
    """Counts the events of each call."""

    name = "stamp"

    @hookimpl
    def orq_wrap_create(self, call: Call) -> Layer:
        return self.around

    async def around(self, call: Call, request: ChatCompletionRequest, proceed: Proceed) -> Items:
        seen = 0
        async for item in proceed(request):
            seen += 1
            yield item
        call.note(self.name, items=seen)


if __name__ == "__main__":
    print(check_plugin(Stamp))
