"""Ask for a completion for each line of a JSONL file, many at a time; killed, it goes on.

    python batch.py questions.jsonl answers.jsonl --model openai/gpt-4o-mini --concurrency 8

A line is ``{"id": "a1", "prompt": "…"}``, or has ``messages`` and any other field of a request.
Without an ``id`` the number of the line is its name. Answers are appended as they come, so their
order differs. Lines that have an answer are not asked again: run it once more after a crash, or for
the lines that failed. Exit codes: 0 all answered, 1 some failed, 2 the files can't be used.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from orq_core import (
    AsyncOrq,
    AsyncStream,
    AuthenticationError,
    ConfigurationError,
    OrqError,
    to_dict,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

Job = tuple[str, dict[str, Any]]


def jobs(path: Path, model: str) -> Iterator[Job]:
    """Read the lines one by one; the file may be larger than memory."""
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                fields: dict[str, Any] = dict(json.loads(line))
            except (ValueError, TypeError):
                raise ConfigurationError(f"{path}:{number}: not a JSON object") from None
            name = str(fields.pop("id", number))
            if "prompt" in fields:
                fields["messages"] = [{"role": "user", "content": fields.pop("prompt")}]
            yield name, {"model": model, **fields}


def answered(path: Path) -> set[str]:
    """Return the names that have an answer; a line that a kill cut off is taken away."""
    if not path.exists():
        return set()
    names: set[str] = set()
    with path.open("r+b") as lines:
        whole = 0
        for line in lines:
            if not line.endswith(b"\n"):
                lines.truncate(whole)
                break
            whole += len(line)
            try:
                names.add(json.loads(line)["id"])
            except (ValueError, TypeError, KeyError):
                raise ConfigurationError(f"{path}: holds a line that is no answer") from None
    return names


async def work(client: AsyncOrq, todo: Iterator[Job], out: BinaryIO, progress: Progress) -> int:
    """Take one line after the other from the list that all workers share; count the failed."""
    [task] = progress.task_ids
    failed = 0
    for name, fields in todo:
        try:
            given = await client.router.chat.completions.create(request=fields)
            # A line may ask for a stream, which long answers need where proxies are impatient.
            completion = await given.completion() if isinstance(given, AsyncStream) else given
        except (AuthenticationError, ConfigurationError):
            raise  # it would be the same with every line
        except OrqError as error:
            failed += 1
            progress.console.print(f"{name}: {type(error).__name__}: {error}", markup=False)
        else:
            answer = {"id": name, "answer": to_dict(completion)}
            # One write for each line and no buffer: what is in the file survives a kill.
            out.write(json.dumps(answer).encode() + b"\n")
        progress.advance(task)
    return failed


async def run(source: Path, target: Path, *, model: str, concurrency: int) -> int:
    """Ask for everything that has no answer yet; return how many lines failed."""
    done = answered(target)
    names = [name for name, _ in jobs(source, model)]
    if len(set(names)) != len(names):
        raise ConfigurationError(f"{source}: two lines have the same id")
    todo = (job for job in jobs(source, model) if job[0] not in done)
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()
    with (
        target.open("ab", buffering=0) as out,
        Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True)) as progress,
    ):
        progress.add_task(target.name, total=len(names), completed=len(done & set(names)))
        async with AsyncOrq(timeout=300, retries=5) as client:
            workers = [
                asyncio.create_task(work(client, todo, out, progress)) for _ in range(concurrency)
            ]
            try:
                return sum(await asyncio.gather(*workers))
            finally:  # Ctrl-C, or an error that ends everything
                for worker in workers:
                    worker.cancel()
                await asyncio.gather(*workers, return_exceptions=True)


def main() -> int:
    """Run it from the command line."""
    parser = argparse.ArgumentParser(description="Completions for each line of a JSONL file.")
    parser.add_argument("source", type=Path)
    parser.add_argument("target", type=Path)
    parser.add_argument("--model", default="openai/gpt-4o-mini")
    parser.add_argument("--concurrency", type=int, default=8)
    given = parser.parse_args()
    try:
        failed = asyncio.run(
            run(given.source, given.target, model=given.model, concurrency=given.concurrency)
        )
    except (OrqError, OSError) as error:
        sys.stderr.write(f"{type(error).__name__}: {error}\n")
        return 2
    except KeyboardInterrupt:
        sys.stderr.write("interrupted; run it again to go on\n")
        return 130
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
