from threading import Lock

from attrs import define

from orq_core import (
    APIConnectionError,
    APITimeoutError,
    Call,
    ChatCompletionRequest,
    InternalServerError,
    Items,
    Layer,
    Orq,
    OrqError,
    Proceed,
    hookimpl,
)


class CircuitOpenError(OrqError):
    """The server failed too often; nothing was sent."""


@define
class Circuit:
    """Failures in a row, and until when nobody is let through."""

    failures: int = 0
    shut_until: float = 0.0


class Breaker:
    """Spares a server that fails: after some failures in a row, no calls for a while, then one."""

    name = "breaker"

    def __init__(self, *, failures: int = 5, seconds: float = 30.0) -> None:
        self.most = failures
        self.seconds = seconds
        self.circuits: dict[str, Circuit] = {}
        self.lock = Lock()  # shared by all calls, so by threads: held briefly, never over a yield

    @hookimpl
    def orq_wrap_create(self, call: Call) -> Layer:
        return self.around

    async def around(self, call: Call, request: ChatCompletionRequest, proceed: Proceed) -> Items:
        self.enter(call)
        try:
            async for item in proceed(request):
                yield item
        except (APIConnectionError, APITimeoutError, InternalServerError):
            self.failed(call)
            raise
        self.answered(call)

    def enter(self, call: Call) -> None:
        with self.lock:
            circuit = self.circuits.setdefault(call.url, Circuit())
            if circuit.failures < self.most:
                return
            if call.now() < circuit.shut_until:
                raise CircuitOpenError("the server failed too often; try again later")
            circuit.shut_until = call.now() + self.seconds  # this call is the trial, others wait

    def failed(self, call: Call) -> None:
        with self.lock:
            circuit = self.circuits[call.url]
            circuit.failures += 1
            circuit.shut_until = call.now() + self.seconds

    def answered(self, call: Call) -> None:
        with self.lock:
            self.circuits[call.url] = Circuit()


if __name__ == "__main__":
    with Orq(plugins=[Breaker(failures=3, seconds=10)]) as client:
        answer = client.router.chat.completions.create(
            model="openai/gpt-4o-mini", messages=[{"role": "user", "content": "hi"}]
        )
        print(answer.text)
