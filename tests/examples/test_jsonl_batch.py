"""The batch script as a process that is killed: no answer twice, and none lost."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading

import pytest
from attrs import evolve

from orq_core.testing import Pause, echo, reply
from tests.examples.conftest import EXAMPLES, soon

SCRIPT = EXAMPLES / "jsonl_batch" / "batch.py"
LINES = 60
CONCURRENCY = 4


def _hears_ctrl_c():
    # A test run in the background of a shell does not, and its children would not either.
    signal.signal(signal.SIGINT, signal.default_int_handler)


class Batch:
    """Two files and the script in a process of its own."""

    def __init__(self, folder, router):
        self.source = folder / "questions.jsonl"
        self.target = folder / "answers.jsonl"
        self.environment = {
            **os.environ,
            "ORQ_SERVER_URL": router.url,
            "ORQ_PLUGINS": "retries",
            "PYTHONPATH": os.pathsep.join(sys.path),
        }
        self.ask(*({"id": f"q{n}", "prompt": f"question {n}"} for n in range(LINES)))

    def ask(self, *lines):
        self.source.write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")

    def start(self):
        command = [sys.executable, SCRIPT, self.source, self.target]
        return subprocess.Popen(
            [*command, f"--concurrency={CONCURRENCY}"],
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=_hears_ctrl_c,  # noqa: PLW1509 - it takes no lock
        )

    def finish(self):
        process = self.start()
        _, said = process.communicate(timeout=30)
        return process.returncode, said

    def answers(self):
        read = [json.loads(line) for line in self.target.read_text("utf-8").splitlines()]
        return [(each["id"], each["answer"]["choices"][0]["message"]["content"]) for each in read]

    def size(self):
        return len(self.target.read_bytes().splitlines()) if self.target.exists() else 0


@pytest.fixture
def batch(tmp_path, orq_router):
    pytest.importorskip("rich")
    return Batch(tmp_path, orq_router)


EXPECTED = sorted((f"q{n}", f"question {n}") for n in range(LINES))


def test_all_are_answered_once(batch):
    code, said = batch.finish()
    assert code == 0, said
    assert sorted(batch.answers()) == EXPECTED


@pytest.mark.slow
def test_killed_twice_and_resumed(batch, orq_router):
    def slowly(received):
        answer = echo(received)
        return evolve(answer, steps=(Pause(0.02), *answer.steps))

    orq_router.always(slowly)
    for least in (10, 30):
        process = batch.start()
        assert soon(lambda least=least: batch.size() >= least, 20)
        process.kill()
        process.communicate()
        assert batch.size() < LINES
    with batch.target.open("ab") as target:
        target.write(b'{"id": "q59", "ans')  # as a kill in the middle of a write leaves it
    code, said = batch.finish()
    assert code == 0, said
    assert sorted(batch.answers()) == EXPECTED
    # What was in flight at a kill is asked again, and nothing else.
    assert len(orq_router.requests) <= LINES + 2 * CONCURRENCY


def test_never_more_than_so_many_at_a_time(batch, orq_router):
    lock, running, most = threading.Lock(), 0, 0

    async def pause(seconds):
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        await asyncio.sleep(seconds)
        with lock:
            running -= 1

    orq_router._sleep = pause
    orq_router.always(
        lambda received: evolve(echo(received), steps=(Pause(0.005), *echo(received).steps))
    )
    code, said = batch.finish()
    assert code == 0, said
    assert most == CONCURRENCY


def test_failed_lines_are_told_and_asked_again(batch, orq_router):
    def picky(received):
        wrong = "question 7" in received.json["messages"][0]["content"]
        return reply({"error": {"message": "no"}}, status=400) if wrong else echo(received)

    batch.ask({"id": "a", "prompt": "question 6", "stream": True}, {"prompt": "question 7"})
    orq_router.always(picky)
    code, said = batch.finish()
    assert code == 1
    assert "2: BadRequestError" in said
    assert batch.answers() == [("a", "question 6")]
    orq_router.always(echo)
    assert batch.finish()[0] == 0
    assert batch.answers() == [("a", "question 6"), ("2", "question 7")]


@pytest.mark.parametrize("text", ["[1\n", '{"id": 1, "prompt": "a"}\n{"id": "1", "prompt": "b"}\n'])
def test_files_that_can_not_be_used(batch, orq_router, text):
    batch.source.write_text(text, "utf-8")
    code, said = batch.finish()
    assert code == 2
    assert "questions.jsonl" in said
    assert orq_router.requests == []


def test_file_of_something_else_is_left_alone(batch, orq_router):
    batch.target.write_text("not ours\nnot finished", "utf-8")
    code, said = batch.finish()
    assert code == 2
    assert "answers.jsonl" in said
    assert batch.target.read_text("utf-8") == "not ours\nnot finished"
    assert orq_router.requests == []


def test_wrong_key_ends_everything(batch, orq_router):
    orq_router.always(reply({"error": {"message": "no"}}, status=401))
    code, said = batch.finish()
    assert code == 2
    assert "AuthenticationError" in said
    assert len(orq_router.requests) <= CONCURRENCY


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGINT for a child")
def test_ctrl_c(batch, orq_router):
    orq_router.always(lambda received: evolve(echo(received), steps=(Pause(30),)))
    process = batch.start()
    assert soon(lambda: len(orq_router.requests) == CONCURRENCY, 20)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=10)
    assert process.returncode == 130
    assert "Traceback" not in said
