from contextvars import ContextVar

from orq_core import Call, Orq, hookimpl
from orq_core.transports import HttpRequest

request_id: ContextVar[str | None] = ContextVar("request_id", default=None)


class RequestId:
    """Passes on the id of the web request that a call is made for."""

    name = "request-id"

    @hookimpl
    def orq_prepare_request(self, call: Call, http: HttpRequest) -> None:
        http.headers["X-Request-Id"] = request_id.get() or call.id


if __name__ == "__main__":
    with Orq(plugins=[RequestId()]) as client:
        request_id.set("req-7f3a")
        answer = client.router.chat.completions.create(
            model="openai/gpt-4o-mini", messages=[{"role": "user", "content": "hi"}]
        )
        print(answer.text)
