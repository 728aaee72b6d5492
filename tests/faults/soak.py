"""Mixed faults for a long time: nothing lost, nothing grown.

``python -m tests.faults.soak --seconds 600 --concurrency 200`` calls a server in a process of its
own that fails in many ways, from tasks and from threads, with all four plugins. It prints what the
calls came to, and memory and descriptors before the first call, after the first tenth of the time
and at the end. Its status is 1 when an answer was not its caller's own, when a call ended in
anything but an answer or an error of the library, and when memory or descriptors have grown.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import random
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

from orq_core import AsyncOrq, Orq, OrqError, Timeout
from orq_core.testing import (
    DONE,
    Cut,
    LocalRouter,
    Pause,
    Reply,
    Reset,
    Stall,
    chunk,
    completion,
    error_event,
    reply,
    stream,
)
from orq_core.testing.received import Received
from orq_plugins import Caching, Logging, MemoryStore, Redaction, Retries

QUICK = Timeout(connect=10, first_event=2, idle=1, total=20)
DOWN = {"error": {"message": "down", "code": "unavailable"}}
WARM_UP = 0.1  # of the time, in which caches and pools fill
GROWTH = {"rss_mib": 32, "descriptors": 8}  # what may come to that, above which something leaks


def faulty(received: Received) -> Reply:
    """Answer with the last message's nonce, or with a fault; which one is drawn anew each time."""
    body = received.json
    nonce = body["messages"][-1]["content"]
    words = [chunk(f"{word} ") for word in nonce.split(" ")]
    end = (chunk(finish_reason="stop"), DONE)
    good = stream(*words, *end) if body.get("stream") else reply(completion(f"{nonce} "))
    faults = (
        reply(DOWN, status=503, headers={"retry-after": "0"}),
        reply(DOWN, status=429, headers={"retry-after-ms": "1"}),
        reply({"error": {"message": "no"}}, status=400),
        reply(b"<html>gateway</html>", status=502, headers={"content-type": "text/html"}),
        stream(*words[:2], Cut()),
        stream(*words[:1], Reset()),
        stream(*words[:2]),
        stream(*words[:1], error_event("overloaded")),
        stream(*words[:1], b"data: {broken\n\n"),
        stream(*words[:1], Pause(0.05), *words[1:], *end),
        Reply(200, {}, (Reset(),)),
        Reply(200, {}, (Stall(),)),
        reply(b""),
        good.chunked_at(every=3),
    )
    return random.choice(faults) if random.random() < 0.5 else good


def serve() -> None:
    """Be the server until standard input ends."""
    with LocalRouter(0, faulty) as router:
        print(router.url, flush=True)
        while sys.stdin.read(1):
            pass


class Tally:
    """What the calls came to."""

    def __init__(self) -> None:
        self.outcomes: Counter[str] = Counter()
        self.lost: list[str] = []
        self._lock = threading.Lock()

    def add(self, nonce: str, text: str | None, error: BaseException | None) -> None:
        with self._lock:
            if isinstance(error, OrqError):
                self.outcomes[type(error).__name__] += 1
            elif error is not None:
                self.lost.append(f"{nonce}: {error!r}")
            elif text is None or text.strip() != nonce:
                self.lost.append(f"{nonce}: got {text!r}")
            else:
                self.outcomes["ok"] += 1


def asked(nonce: str, number: int) -> dict[str, Any]:
    return {
        "model": "fake/model",
        "messages": [{"role": "user", "content": nonce}],
        "stream": bool(number % 2),
    }


def plugins() -> list[Any]:
    store = MemoryStore(max_bytes=2**20)
    return [Redaction(), Logging(), Caching(policy="all", store=store), Retries(budget=None)]


async def tasks(url: str, until: float, concurrency: int, tally: Tally) -> None:
    """Call from so many tasks until the time is over."""
    async with AsyncOrq("fake", url, timeout=QUICK, plugins=plugins(), discover=False) as client:

        async def work(task: int) -> None:
            number = 0
            while time.monotonic() < until:
                number += 1
                nonce = f"task {task} call {number // 2}"
                text, error = None, None
                try:
                    made = await client.router.chat.completions.create(**asked(nonce, number))
                    text = (await made.completion() if number % 2 else made).text
                except Exception as caught:
                    error = caught
                tally.add(nonce, text, error)

        await asyncio.gather(*map(work, range(concurrency)))


def threads(url: str, until: float, concurrency: int, tally: Tally) -> None:
    """Call from so many threads until the time is over."""
    with Orq("fake", url, timeout=QUICK, plugins=plugins(), discover=False) as client:

        def work(thread: int) -> None:
            number = 0
            while time.monotonic() < until:
                number += 1
                nonce = f"thread {thread} call {number // 2}"
                text, error = None, None
                try:
                    made = client.router.chat.completions.create(**asked(nonce, number))
                    text = (made.completion() if number % 2 else made).text
                except Exception as caught:
                    error = caught
                tally.add(nonce, text, error)

        workers = [threading.Thread(target=work, args=(n,)) for n in range(concurrency)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()


def usage() -> dict[str, int]:
    """Return resident memory in MiB and the number of open descriptors (Linux)."""
    # An error's traceback and its cause refer to each other, and to what they were about.
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    rss = pages * os.sysconf("SC_PAGE_SIZE") // 2**20
    return {"rss_mib": rss, "descriptors": len(list(Path("/proc/self/fd").iterdir()))}


def run(seconds: float, concurrency: int) -> int:
    """Soak, and print what came of it."""
    command = [sys.executable, "-m", "tests.faults.soak", "--serve"]
    server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    url = server.stdout.readline().strip()
    tally, figures = Tally(), {"start": usage()}
    try:
        for name, part in (("warm", seconds * WARM_UP), ("soaked", seconds * (1 - WARM_UP))):
            until = time.monotonic() + part
            few = max(1, concurrency // 4)
            blocking = threading.Thread(target=threads, args=(url, until, few, tally))
            blocking.start()
            asyncio.run(tasks(url, until, concurrency - few, tally))
            blocking.join()
            figures[name] = usage()
    finally:
        server.communicate("", timeout=30)
    calls = sum(tally.outcomes.values()) + len(tally.lost)
    report = {"calls": calls, "outcomes": tally.outcomes, "lost": len(tally.lost), **figures}
    print(json.dumps(report, indent=1))
    for line in tally.lost[:20]:
        print("lost:", line)
    warm, soaked = figures["warm"], figures["soaked"]
    grown = [name for name, most in GROWTH.items() if soaked[name] > warm[name] + most]
    for name in grown:
        print("grown:", name)
    return 1 if tally.lost or grown else 0


def main() -> int:
    """Read the arguments."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--concurrency", type=int, default=200)
    parser.add_argument("--serve", action="store_true", help="be the server")
    arguments = parser.parse_args()
    if arguments.serve:
        serve()
        return 0
    return run(arguments.seconds, arguments.concurrency)


if __name__ == "__main__":
    sys.exit(main())
