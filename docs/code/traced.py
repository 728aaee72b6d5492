import sys

from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import ConsoleSpanExporter, SimpleSpanProcessor

from orq_core import Orq
from orq_plugins import Tracing


def line(span: ReadableSpan) -> str:
    seen = dict(span.attributes or {})
    shown = ("http.response.status_code", "gen_ai.response.model", "orq.attempts")
    return f"{span.name}: { {name: seen[name] for name in shown if name in seen} }\n"


provider = TracerProvider()
exporter = ConsoleSpanExporter(out=sys.stdout, formatter=line)
provider.add_span_processor(SimpleSpanProcessor(exporter))

with Orq(plugins=[Tracing(tracer_provider=provider)]) as client:
    completion = client.router.chat.completions.create(
        model="openai/gpt-4o-mini",
        messages=[{"role": "user", "content": "Is the weather good?"}],
    )
    print(completion.info.notes["tracing"])  # trace_id and span_id, for your logs

provider.shutdown()
