"""The two runtimes, and the driver that steps coroutines without an event loop."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
import traceback
from typing import Any

import pytest

from orq_core import APIConnectionError, SuspendedError
from orq_core._runtime import Asyncio, Blocking, drive


def test_drive_runs_to_the_end_in_the_callers_thread() -> None:
    async def inner() -> threading.Thread:
        return threading.current_thread()

    async def outer() -> threading.Thread:
        return await inner()

    assert drive(outer()) is threading.current_thread()


def test_a_real_wait_is_refused_at_its_own_line() -> None:
    async def body() -> None:
        await asyncio.sleep(0)  # this very line

    with pytest.raises(SuspendedError, match="needs an event loop") as caught:
        drive(body())
    frames = traceback.extract_tb(caught.value.__traceback__)
    assert any("this very line" in (frame.line or "") for frame in frames)


def test_it_works_inside_a_running_loop() -> None:
    async def answer() -> int:
        return 42

    async def notebook() -> int:
        return drive(answer())

    assert asyncio.run(notebook()) == 42


def test_a_refused_coroutine_may_clean_up_and_answer() -> None:
    async def body() -> str:
        try:
            await asyncio.sleep(0)
        except SuspendedError:
            return "told"
        return "not told"

    assert drive(body()) == "told"


def test_one_that_keeps_waiting_is_closed() -> None:
    closed: list[str] = []

    async def body() -> None:
        try:
            while True:
                with contextlib.suppress(SuspendedError):
                    await asyncio.sleep(0)
        finally:
            closed.append("yes")

    with pytest.raises(SuspendedError):
        drive(body())
    assert closed == ["yes"]


def test_blocking_code_runs_inline_or_in_a_thread() -> None:
    here = threading.current_thread()
    assert drive(Blocking().run(threading.current_thread)) is here
    assert asyncio.run(Asyncio().run(threading.current_thread)) is not here


@pytest.mark.parametrize("runtime", [Blocking(), Asyncio()])
def test_sleeping_nothing(runtime: Any) -> None:
    asyncio.run(runtime.sleep(-1))
    assert runtime.now() <= time.monotonic()


def test_closing_ends_a_pause_in_another_thread() -> None:
    runtime = Blocking()
    ended: list[BaseException] = []

    def pause() -> None:
        try:
            drive(runtime.sleep(60))
        except APIConnectionError as error:
            ended.append(error)

    thread = threading.Thread(target=pause)
    thread.start()
    runtime.interrupt()
    thread.join(5)
    assert len(ended) == 1


def test_closing_ends_the_pauses_of_tasks() -> None:
    """On every loop, and those that would begin later as well."""
    runtime, held = Asyncio(), threading.Event()

    async def body() -> None:
        tasks = [asyncio.create_task(runtime.sleep(60)) for _ in range(3)]
        await asyncio.sleep(0.01)
        tasks[0].cancel()
        held.set()
        errors = await asyncio.gather(*tasks, return_exceptions=True)
        kinds = [asyncio.CancelledError, APIConnectionError, APIConnectionError]
        assert [type(error) for error in errors] == kinds
        with pytest.raises(APIConnectionError):
            await runtime.sleep(60)
        assert not runtime._pauses

    def close() -> None:
        held.wait(5)
        runtime.interrupt()

    thread = threading.Thread(target=close)
    thread.start()
    asyncio.run(asyncio.wait_for(body(), 5))
    thread.join(5)
