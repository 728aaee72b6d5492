import json
import tempfile
from pathlib import Path
from typing import Any

from orq_core import Call, ChatCompletionRequest, Items, Layer, Orq, Proceed, hookimpl, to_dict


class EventLog:
    """Appends every event of every call to a file, as JSON lines. It holds what was said."""

    name = "event-log"

    def __init__(self, path: Path) -> None:
        self.path = path

    @hookimpl
    def orq_wrap_create(self, call: Call) -> Layer:
        return self.around

    async def around(self, call: Call, request: ChatCompletionRequest, proceed: Proceed) -> Items:
        began, lines = call.now(), list[dict[str, Any]]()
        try:
            async for item in proceed(request):
                at = round(call.now() - began, 4)
                lines.append({"call": call.id, "at": at, "event": to_dict(item)})
                yield item
        finally:
            # On every way out, once per call: a thread for each event would cost too much.
            await call.run(self.write, lines)

    def write(self, lines: list[dict[str, Any]]) -> None:
        with self.path.open("a", encoding="utf-8") as file:
            file.write("".join(json.dumps(line) + "\n" for line in lines))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "events.jsonl"
        with Orq(plugins=[EventLog(path)]) as client:
            client.router.chat.completions.create(
                model="openai/gpt-4o-mini",
                messages=[{"role": "user", "content": "one two"}],
                stream=True,
            ).completion()
        print(path.read_text("utf-8"))
