from attrs import evolve

from orq_core import Call, Layer, Orq, hookimpl, transform
from orq_core.models import ChatCompletionRequest
from orq_plugins import Caching, Redaction, Retries


class House:
    """Every call gets a limit and the name of its team."""

    @hookimpl
    def orq_wrap_create(self, call: Call) -> Layer:
        return transform(request=self.change)

    def change(self, request: ChatCompletionRequest) -> ChatCompletionRequest:
        return evolve(request, max_tokens=500, metadata={"team": "blue"})


plugins = [House(), Redaction(), Caching(), Retries()]
with Orq(plugins=plugins) as client:
    explanation = client.explain(
        model="openai/gpt-4o-mini",
        messages=[{"role": "user", "content": "Write to jane.doe@example.com"}],
        temperature=0,
        retry={"count": 2},
    )

print(explanation)
print(explanation.outcome, explanation.worst_case.model_requests)
