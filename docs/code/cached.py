import tempfile
from pathlib import Path

from orq_core import Orq
from orq_plugins import Caching, SQLiteStore

with tempfile.TemporaryDirectory() as folder:
    store = SQLiteStore(Path(folder) / "answers.sqlite3")
    plugin = Caching(store=store, ttl=600, stale_if_error=86400)

    with Orq(plugins=[plugin]) as client:
        for streamed in (False, True):
            answer = client.router.chat.completions.create(
                model="openai/gpt-4o-mini",
                messages=[{"role": "user", "content": "Is the weather good?"}],
                temperature=0,
                stream=streamed,
            )
            for event in answer:
                print(event.text, end="")
            print("", answer.info.notes["caching"]["result"])
