"""Two calls at the same time have to give what each of them gives alone."""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

from orq_core import to_dict
from orq_core.testing.conformance import rules, scripts
from orq_core.testing.conformance.facts import FAILED, Facts, compared
from orq_core.testing.conformance.judge import Bench
from orq_core.testing.conformance.origin import Origin
from orq_core.testing.conformance.scene import client_arguments
from orq_core.testing.steps import Wait

if TYPE_CHECKING:
    from orq_core.testing.conformance.report import Verdict
    from orq_core.testing.conformance.scene import Factory, Options
    from orq_core.testing.modes import Mode
    from orq_core.testing.replies import Reply
    from orq_core.transports import HttpRequest

_ALONE = ("amber", "birch")
_TOGETHER = ("cedar", "delta")
_PATIENCE = 2.0  # seconds for two calls, which take milliseconds
_MEETING = 0.5  # seconds in which both requests arrive, unless the plugin holds one back


class Meeting(threading.Event):
    """Opens when both requests have arrived, or after a while."""

    def __init__(self, guests: int) -> None:
        """Wait for so many."""
        super().__init__()
        self._missing = guests
        self._latest = time.monotonic() + _MEETING

    def arrive(self) -> None:
        """Count one."""
        self._missing -= 1
        if self._missing <= 0:
            self.set()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for the rest, but not for long."""
        super().wait(_MEETING if timeout is None else min(timeout, _MEETING))
        return True

    def is_set(self) -> bool:
        """Tell whether it is time to go on."""
        return super().is_set() or time.monotonic() > self._latest


class Talk:
    """Calls on one client, alone and in pairs."""

    def __init__(self, mode: Mode, client: Any, options: Options, *, stream: bool) -> None:
        """Make calls with these options."""
        self._mode = mode
        self._client = client
        self._options = options
        self._stream = stream

    async def alone(self) -> list[Facts]:
        """Make calls in turn."""
        return [await self._one(nonce) for nonce in _ALONE]

    async def together(self) -> list[Facts]:
        """Make two calls at the same time."""
        if self._stream:
            return await self._interleaved()
        if self._mode.is_async:
            return list(await asyncio.gather(*map(self._one, _TOGETHER)))
        facts = [Facts(nonce) for nonce in _TOGETHER]
        threads = [threading.Thread(target=self._in_thread, args=(each,)) for each in facts]
        for thread in threads:
            thread.daemon = True
            thread.start()
        for thread in threads:
            thread.join(_PATIENCE)
        return facts

    def _in_thread(self, facts: Facts) -> None:
        self._mode.run(lambda: self._fill(facts))

    async def _one(self, nonce: str) -> Facts:
        facts = Facts(nonce)
        await self._fill(facts)
        return facts

    async def _fill(self, facts: Facts) -> None:
        try:
            answer = await self._create(facts)
            if self._stream:
                while await self._step(answer, facts):
                    pass
            else:
                facts.items.append(to_dict(answer))
        except Exception as error:  # noqa: BLE001 - what a call of the plugin's raises is compared with what other calls came to, and not raised
            facts.error = type(error).__name__

    async def _interleaved(self) -> list[Facts]:
        facts = [Facts(nonce) for nonce in _TOGETHER]
        try:
            open_ones = [(await self._create(each), each) for each in facts]
            while open_ones:
                open_ones = [pair for pair in open_ones if await self._step(*pair)]
        except Exception as error:  # noqa: BLE001 - nothing is swallowed: the verdict tells of it
            facts[0].error = type(error).__name__
        return facts

    async def _create(self, facts: Facts) -> Any:
        request = self._options.ask(stream=self._stream, said=f"say {facts.nonce}")
        answer = await self._mode.create(self._client, **request)
        facts.notes = answer.info.notes
        return answer

    async def _step(self, stream: Any, facts: Facts) -> bool:
        try:
            chunk = await stream.__anext__() if self._mode.is_async else next(stream)
        except (StopIteration, StopAsyncIteration):
            return False
        facts.items.append(to_dict(chunk))
        return True


def isolation(mode: Mode, factory: Factory, options: Options, *, stream: bool) -> list[Verdict]:
    """Compare calls that overlap with calls that don't."""
    plugin = factory()
    origin = Origin(plugin, factory)
    kind = "stream" if stream else "json"
    bench = Bench("interleaved", f"{mode.name}-{kind}", origin.definition)
    problems: list[str | None] = []

    def work() -> None:
        try:
            problems.append(_compared(mode, plugin, options, stream=stream))
        except Exception:  # noqa: BLE001 - a client that can't be opened or closed; the kit's scenarios have told of it
            problems.append(FAILED)

    # A plugin that holds a lock across a yield would hold this thread as well.
    thread = threading.Thread(target=work, name="orq interleaved", daemon=True)
    thread.start()
    thread.join(_PATIENCE + 1)
    where = origin.writes()
    if not problems:
        frame = sys._current_frames().get(thread.ident or 0)  # noqa: SLF001 - documented in spite of its name, and the only way to the frame of another thread
        where = origin.of_frame(frame) or where
        problems = ["two calls wait for each other"]
    if problems[0] is not FAILED:
        bench.say(rules.ISOLATION, problems[0], where)
    return bench.verdicts


def _compared(mode: Mode, plugin: object, options: Options, *, stream: bool) -> str | None:
    meeting: list[Meeting] = []
    arguments, transport = client_arguments(mode, [plugin])

    def answer(http: HttpRequest) -> Reply:
        said = next((each for each in _ALONE + _TOGETHER if each.encode() in http.body), "none")
        words = tuple(f" {said}{number}" for number in range(6))
        reply = scripts.good(streamed=stream, words=words)
        if meeting and not stream:
            meeting[0].arrive()
            return reply.then(Wait(meeting[0]))
        return reply

    arguments["transport"] = type(transport)(answer, is_async=mode.is_async)

    async def body() -> tuple[list[Facts], list[Facts]]:
        async with mode.client(**arguments) as client:
            talk = Talk(mode, client, options, stream=stream)
            alone = await talk.alone()
            meeting.append(Meeting(len(_TOGETHER)))
            if mode.is_async:
                return alone, await asyncio.wait_for(talk.together(), _PATIENCE)
            return alone, await talk.together()

    try:
        alone, together = mode.run(body)
    except (asyncio.TimeoutError, TimeoutError):
        return "two calls wait for each other"
    return compared(alone, together)
