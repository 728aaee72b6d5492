"""Stores that processes share: writers at once, deaths in the middle, damage, forks, threads."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from orq_core import Orq
from orq_core._runtime import Blocking
from orq_core.testing import LocalRouter, Mode, completion, reply
from orq_plugins.caching import Caching, RedisStore, Sealed, SQLiteStore
from orq_plugins.caching.stores.sqlite import default_path

ROOT = Path(__file__).resolve().parents[4]
RUNTIME = Blocking()

WRITER = """
import sys, hashlib
from orq_core._runtime import Blocking, drive
from orq_plugins.caching import SQLiteStore
store, runtime = SQLiteStore(sys.argv[1], busy_timeout=20), Blocking()
name, count = sys.argv[2], int(sys.argv[3])
number = 0
while number < count:
    value = hashlib.sha256(f"{name}{number}".encode()).digest() * 500
    drive(store.set(runtime, f"{name}{number}", value, None))
    if number == 0:
        print("ready", flush=True)
    number += 1
"""

CALLER = """
import sys
from orq_core import Orq
from orq_plugins.caching import Caching, RedisStore
plugin = Caching(store=RedisStore(sys.argv[1], timeout=5))
with Orq("fake-key", sys.argv[2], plugins=[plugin], discover=False) as client:
    answer = client.router.chat.completions.create(
        model="fake/model", messages=[{"role": "user", "content": "x"}], temperature=0)
    print(answer.info.notes["caching"]["result"], answer.text)
"""


HOLDER = """
import sys
from orq_core._runtime import Blocking, drive
from orq_plugins.caching import RedisStore, SQLiteStore
kind, place, seconds = sys.argv[1], sys.argv[2], float(sys.argv[3])
store = SQLiteStore(place, busy_timeout=20) if kind == "sqlite" else RedisStore(place, timeout=5)
print(drive(store.acquire(Blocking(), "k", "the other process", seconds)), flush=True)
sys.stdin.readline()
drive(store.release(Blocking(), "k", "the other process"))
"""

UNUSED_IN_CHILD = """
import os, sys
from orq_core._runtime import Blocking, drive
from orq_plugins.caching import SQLiteStore
store = SQLiteStore(sys.argv[1], busy_timeout=20)
drive(store.set(Blocking(), "a", b"1", None))
if os.fork() == 0:
    if sys.argv[2] == "used":
        assert drive(store.get(Blocking(), "a")) == b"1"
    sys.exit()  # an end with finalizers, unlike that of multiprocessing
assert os.waitstatus_to_exitcode(os.wait()[1]) == 0
drive(store.set(Blocking(), "b", b"2", None))
assert drive(store.get(Blocking(), "a")) == b"1"
drive(store.close(Blocking()))
"""


def spawn(script: str, *args: Any) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", script, *map(str, args)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def drive(awaitable: Any) -> Any:
    async def body() -> Any:
        return await awaitable

    return Mode("sync").run(body)


def expected(name: str, number: int) -> bytes:
    import hashlib

    return hashlib.sha256(f"{name}{number}".encode()).digest() * 500


def test_two_processes_write_at_once(tmp_path: Path):
    path = tmp_path / "answers.sqlite3"
    writers = [spawn(WRITER, path, name, 150) for name in "ab"]
    for writer in writers:
        writer.communicate(timeout=60)
        assert writer.returncode == 0
    store = SQLiteStore(path)
    for name in "ab":
        for number in range(150):
            assert drive(store.get(RUNTIME, f"{name}{number}")) == expected(name, number)
    drive(store.close(RUNTIME))


def test_a_process_killed_while_it_writes_harms_nothing(tmp_path: Path):
    path = tmp_path / "answers.sqlite3"
    for attempt in range(3):
        writer = spawn(WRITER, path, f"w{attempt}-", 10**9)
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
        time.sleep(0.1 + 0.05 * attempt)
        writer.send_signal(signal.SIGKILL)
        writer.communicate(timeout=20)
        store = SQLiteStore(path)
        number = 0
        while (found := drive(store.get(RUNTIME, f"w{attempt}-{number}"))) is not None:
            assert found == expected(f"w{attempt}-", number)
            number += 1
        assert number > 0
        assert drive(store.get(RUNTIME, f"w{attempt}-{number + 1}")) is None
        drive(store.set(RUNTIME, "after", b"fine", None))
        assert drive(store.get(RUNTIME, "after")) == b"fine"
        check = store._connection().execute("PRAGMA integrity_check").fetchone()
        assert check == ("ok",)
        drive(store.close(RUNTIME))
    assert [each.name for each in tmp_path.glob("*damaged*")] == []


def test_only_its_owner_may_read_a_file(tmp_path: Path):
    path = tmp_path / "deep" / "answers.sqlite3"
    store = SQLiteStore(path)
    drive(store.set(RUNTIME, "a", b"x", None))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    drive(store.close(RUNTIME))


def test_where_files_are_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(sys, "platform", "linux")
    assert default_path() == tmp_path / "orq-core" / "answers.sqlite3"
    monkeypatch.setattr(sys, "platform", "darwin")
    assert default_path().parts[-4:-1] == ("Library", "Caches", "orq-core")
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "local"))
    assert default_path() == tmp_path / "local" / "orq-core" / "answers.sqlite3"


def test_threads_share_a_file(tmp_path: Path):
    store = SQLiteStore(tmp_path / "answers.sqlite3", busy_timeout=20)
    failures: list[BaseException] = []

    def work(name: str) -> None:
        try:
            for number in range(40):
                drive(store.set(RUNTIME, f"{name}{number}", name.encode() * 1000, None))
                assert drive(store.get(RUNTIME, f"{name}{number}")) == name.encode() * 1000
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(name,)) for name in "abcdefgh"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failures == []
    drive(store.close(RUNTIME))


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_file_survives_a_fork(tmp_path: Path):
    store = SQLiteStore(tmp_path / "answers.sqlite3", busy_timeout=20)
    drive(store.set(RUNTIME, "parent", b"1", None))
    child = os.fork()
    if child == 0:
        status = 1
        try:
            drive(store.set(RUNTIME, "child", b"2", None))
            status = 0 if drive(store.get(RUNTIME, "parent")) == b"1" else 2
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert drive(store.get(RUNTIME, "child")) == b"2"
    drive(store.set(RUNTIME, "parent", b"3", None))
    assert drive(store.get(RUNTIME, "parent")) == b"3"
    drive(store.close(RUNTIME))


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_child_keeps_what_it_writes_after_its_parent_closed(tmp_path: Path):
    store = SQLiteStore(tmp_path / "answers.sqlite3", busy_timeout=20)
    drive(store.set(RUNTIME, "parent", b"1", None))
    written, closed = os.pipe(), os.pipe()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            drive(store.set(RUNTIME, "before", b"2", None))
            os.write(written[1], b".")
            os.read(closed[0], 1)
            drive(store.set(RUNTIME, "after", b"3", None))
            status = 0
        finally:
            os._exit(status)
    os.read(written[0], 1)
    drive(store.close(RUNTIME))
    os.write(closed[1], b".")
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    for end in (*written, *closed):
        os.close(end)
    assert drive(store.get(RUNTIME, "before")) == b"2"
    assert drive(store.get(RUNTIME, "after")) == b"3"
    drive(store.close(RUNTIME))


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_fork_does_not_wait_for_a_busy_store(tmp_path: Path):
    """The child then leaves the connection in use to its parent, and opens its own."""
    store = SQLiteStore(tmp_path / "answers.sqlite3", busy_timeout=0.05)
    drive(store.set(RUNTIME, "a", b"1", None))
    inherited = store._opened
    with store._lock.taken(1):
        child = os.fork()
        if child == 0:
            status = 1
            try:
                found = drive(store.get(RUNTIME, "a"))
                status = 0 if found == b"1" and store._opened is not inherited else 2
            finally:
                os._exit(status)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert store._opened is inherited
    assert drive(store.get(RUNTIME, "a")) == b"1"
    drive(store.close(RUNTIME))


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_forks_while_threads_write(tmp_path: Path):
    store = SQLiteStore(tmp_path / "answers.sqlite3", busy_timeout=20)
    stop = threading.Event()
    failures: list[BaseException] = []

    def work(name: str) -> None:
        try:
            while not stop.is_set():
                drive(store.set(RUNTIME, name, name.encode() * 1000, None))
                assert drive(store.get(RUNTIME, name)) == name.encode() * 1000
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(name,)) for name in "abc"]
    for thread in threads:
        thread.start()
    statuses = []
    for number in range(10):
        child = os.fork()
        if child == 0:
            status = 1
            try:
                drive(store.set(RUNTIME, f"child{number}", b"x", None))
                status = 0
            finally:
                os._exit(status)
        statuses.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    stop.set()
    for thread in threads:
        thread.join(60)
    assert failures == []
    assert statuses == [0] * 10
    assert [drive(store.get(RUNTIME, f"child{number}")) for number in range(10)] == [b"x"] * 10
    assert store._connection().execute("PRAGMA integrity_check").fetchone() == ("ok",)
    drive(store.close(RUNTIME))


@pytest.mark.parametrize("use", ["used", "unused"])
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_the_end_of_a_child_leaves_its_parent_alone(tmp_path: Path, use: str):
    command = [sys.executable, "-W", "always::ResourceWarning", "-c", UNUSED_IN_CHILD]
    path = tmp_path / "answers.sqlite3"
    done = subprocess.run(
        [*command, str(path), use],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    store = SQLiteStore(path)
    assert drive(store.get(RUNTIME, "b")) == b"2"
    drive(store.close(RUNTIME))


@pytest.mark.parametrize("kind", ["sqlite", pytest.param("redis", marks=pytest.mark.real)])
@pytest.mark.parametrize("way", ["released", "expired"])
def test_a_lease_holds_among_processes(
    tmp_path: Path, kind: str, way: str, request: pytest.FixtureRequest
):
    store: Any
    if kind == "sqlite":
        place = str(tmp_path / "answers.sqlite3")
        store = SQLiteStore(place, busy_timeout=20)
    else:
        place = request.getfixturevalue("valkey").url
        store = RedisStore(place, timeout=5)
    holder = spawn(HOLDER, kind, place, 60 if way == "released" else 1)
    assert holder.stdout is not None
    try:
        assert holder.stdout.readline() == "True\n"
        assert not drive(store.acquire(RUNTIME, "k", "me", 1))
        drive(store.release(RUNTIME, "k", "me"))
        assert not drive(store.acquire(RUNTIME, "k", "me", 1))
        if way == "released":
            holder.communicate("\n", timeout=60)
            assert drive(store.acquire(RUNTIME, "k", "me", 1))
        latest = time.monotonic() + 20
        while not drive(store.acquire(RUNTIME, "k", "me", 1)):
            assert time.monotonic() < latest
            time.sleep(0.02)
    finally:
        holder.kill()
        holder.communicate()
        drive(store.close(RUNTIME))


def test_a_dropped_store_closes_its_file(tmp_path: Path):
    store = SQLiteStore(tmp_path / "answers.sqlite3")
    drive(store.set(RUNTIME, "a", b"x", None))
    connection = store._opened
    del store
    with pytest.raises(Exception, match="closed"):
        connection.execute("SELECT 1")


def test_a_sealed_file_holds_no_text(tmp_path: Path, orq_router: LocalRouter):
    path = tmp_path / "answers.sqlite3"
    asked, said = "canary-in-the-question", "canary-in-the-answer"
    orq_router.always(reply(completion(said)))
    plugin = Caching(store=Sealed(SQLiteStore(path), Sealed.generate_key()))
    with Orq("fake-key", orq_router.url, plugins=[plugin], discover=False) as client:
        for _ in range(2):
            answer = client.router.chat.completions.create(
                model="fake/model",
                messages=[{"role": "user", "content": asked}],
                temperature=0,
            )
            assert answer.text == said
    assert answer.info.notes["caching"]["result"] == "hit"
    on_disk = b"".join(each.read_bytes() for each in tmp_path.iterdir())
    assert len(on_disk) > 1000
    assert b"canary" not in on_disk
    assert b"fake/model" not in on_disk


@pytest.mark.real
def test_two_processes_share_a_server(valkey: Any, orq_router: LocalRouter):
    orq_router.always(reply(completion("shared")))
    said = []
    for _ in range(2):
        caller = spawn(CALLER, valkey.url, orq_router.url)
        said.append(caller.communicate(timeout=60)[0].strip())
    assert said == ["miss shared", "hit shared"]
    assert len(orq_router.requests) == 1


@pytest.mark.real
def test_processes_that_ask_at_once_ask_once(valkey: Any, orq_router: LocalRouter):
    from orq_core.testing import Wait

    gate = threading.Event()
    answer = reply(completion("shared"))
    orq_router.always(answer.__class__(200, answer.headers, (Wait(gate), *answer.steps)))
    callers = [spawn(CALLER, valkey.url, orq_router.url) for _ in range(3)]
    latest = time.monotonic() + 30
    while not orq_router.requests:
        assert time.monotonic() < latest
        time.sleep(0.01)
    time.sleep(1.0)  # for the others to have started; late ones find the answer, which is as good
    gate.set()
    said = [caller.communicate(timeout=60)[0].split() for caller in callers]
    assert [words[-1] for words in said] == ["shared"] * 3
    assert len(orq_router.requests) == 1


@pytest.mark.real
def test_a_server_killed_under_load(mode: Mode, valkey: Any, orq_router: LocalRouter):
    from tests.plugins.talk import ask

    store = RedisStore(valkey.url, timeout=2)
    plugin = Caching(store=store, store_timeout=2)

    async def body() -> list[str]:
        results = []
        client = {"api_key": "fake-key", "server_url": orq_router.url, "plugins": [plugin]}
        async with mode.client(**client, discover=False) as opened:
            for number in range(40):
                if number == 20:
                    valkey.kill()
                answer = await ask(
                    mode,
                    opened,
                    messages=[{"role": "user", "content": f"question {number % 5}"}],
                    temperature=0,
                )
                assert answer.error is None
                assert answer.text.endswith(f"question {number % 5}")
                results.append(answer.note("caching")["result"])
        return results

    results = mode.run(body)
    assert results == ["miss"] * 5 + ["hit"] * 15 + ["miss"] * 20
    assert plugin.store.failures >= 20
