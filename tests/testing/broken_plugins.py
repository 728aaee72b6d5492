"""Plugins that each break one rule of the conformance kit, at the line marked with its name."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from attrs import evolve

from orq_core import hookimpl

CURRENT: ContextVar[str] = ContextVar("CURRENT", default="")


class Plugin:
    """Takes part in every call."""

    @hookimpl
    def orq_wrap_create(self, call: Any) -> Any:
        return self.around

    async def around(self, call: Any, request: Any, proceed: Any) -> Any:
        async for item in proceed(request):
            yield item


class Misspelt:  # loading
    @hookimpl
    def orq_wrap_creation(self, call: Any) -> Any:
        return None


class StaysOut:  # loading
    @hookimpl
    def orq_wrap_create(self, call: Any) -> Any:
        return None


class NoGenerator(Plugin):  # loading
    async def around(self, call: Any, request: Any, proceed: Any) -> Any:
        return proceed(request)


class Unmakeable(Plugin):
    def __init__(self) -> None:
        raise OSError("no such file")  # loading


class Loses(Plugin):
    async def around(self, call: Any, request: Any, proceed: Any) -> Any:
        count = 0
        async for item in proceed(request):  # items
            count += 1
            if count != 2:
                yield item


class LosesTheLast(Plugin):
    async def around(self, call: Any, request: Any, proceed: Any) -> Any:
        held = None
        async for item in proceed(request):  # items
            if held is not None or not call.stream:
                yield held or item
            held = item


class Doubles(Plugin):
    async def around(self, call: Any, request: Any, proceed: Any) -> Any:
        async for item in proceed(request):
            yield item
            yield item  # items


class Swaps(Plugin):
    async def around(self, call: Any, request: Any, proceed: Any) -> Any:
        held = None
        async for item in proceed(request):
            if held is None and call.stream:
                held = item
            else:
                yield item  # items
                if held is not None:
                    yield held
                    held = None
        if held is not None:
            yield held


class Changes(Plugin):
    async def around(self, call: Any, request: Any, proceed: Any) -> Any:
        async for item in proceed(request):
            yield evolve(item, model="another/model")  # items


class ForgetsTheReason(Plugin):
    async def around(self, call: Any, request: Any, proceed: Any) -> Any:
        async for item in proceed(request):  # finish-reason
            choices = [evolve(choice, finish_reason=None) for choice in item.choices]
            yield evolve(item, choices=choices)


class HidesFailures(Plugin):
    async def around(self, call: Any, request: Any, proceed: Any) -> Any:
        try:
            async for item in proceed(request):
                yield item
        except Exception:  # errors
            return


class ConcealsFailures(Plugin):
    async def around(self, call: Any, request: Any, proceed: Any) -> Any:
        try:
            async for item in proceed(request):
                yield item
        except Exception:
            raise LookupError("something failed") from None  # errors


class ReplacesFailures(Plugin):
    async def around(self, call: Any, request: Any, proceed: Any) -> Any:
        failed = False
        try:
            async for item in proceed(request):
                yield item
        except Exception:
            failed = True
        if failed:
            raise LookupError("something failed")  # errors


class Fails(Plugin):
    async def around(self, call: Any, request: Any, proceed: Any) -> Any:
        async for item in proceed(request):
            yield item
        {}["missing"]  # errors


class CannotBeStopped(Plugin):
    async def around(self, call: Any, request: Any, proceed: Any) -> Any:
        try:
            async for item in proceed(request):
                yield item
        except (asyncio.CancelledError, KeyboardInterrupt):  # cancellation
            return


class CannotBeClosed(Plugin):
    async def around(self, call: Any, request: Any, proceed: Any) -> Any:
        last = None
        try:
            async for item in proceed(request):
                last = item
                yield item
        except GeneratorExit:
            yield last  # closing


class FailsWhenClosed(Plugin):
    async def around(self, call: Any, request: Any, proceed: Any) -> Any:
        try:
            async for item in proceed(request):
                yield item
        except GeneratorExit:
            raise LookupError("nothing to close") from None  # closing


class FailsWithTheClient(Plugin):
    @hookimpl
    def orq_client_closed(self, client: Any) -> None:
        raise LookupError("nothing to close")  # closing


class ReadsOn(Plugin):
    async def around(self, call: Any, request: Any, proceed: Any) -> Any:
        items = proceed(request)
        try:
            async for item in items:
                yield item
        finally:
            async for _ in items:  # endings
                pass


class AsksTwice(Plugin):
    async def around(self, call: Any, request: Any, proceed: Any) -> Any:
        async for item in proceed(request):
            yield item
        async for _ in proceed(request):  # endings
            pass


class NeverEnds(Plugin):
    async def around(self, call: Any, request: Any, proceed: Any) -> Any:
        async for item in proceed(request):
            yield item
        await call.sleep(3600)  # endings


class NeverEndsUnderAsyncio(Plugin):
    async def around(self, call: Any, request: Any, proceed: Any) -> Any:
        if call.runtime.is_async:
            await self.told()
        async for item in proceed(request):
            yield item

    async def told(self) -> None:
        await asyncio.Event().wait()  # endings


class LeavesAThread(Plugin):
    stop = threading.Event()

    async def around(self, call: Any, request: Any, proceed: Any) -> Any:
        threading.Thread(target=self.wait, daemon=True).start()
        async for item in proceed(request):
            yield item

    def wait(self) -> None:
        self.stop.wait(10)  # leaks


class LeavesATask(Plugin):
    async def around(self, call: Any, request: Any, proceed: Any) -> Any:
        if call.runtime.is_async:
            self.task = asyncio.ensure_future(self.report())
        async for item in proceed(request):
            yield item

    async def report(self) -> None:
        await asyncio.sleep(60)  # leaks


class LeavesAFile(Plugin):
    files: list[Any] = []  # noqa: RUF012 - shared on purpose

    @hookimpl
    def orq_client_opened(self, client: Any) -> None:
        self.files.append(Path(__file__).open("rb"))  # noqa: SIM115  # leaks


class LeavesACoroutine(Plugin):
    async def around(self, call: Any, request: Any, proceed: Any) -> Any:
        async for item in proceed(request):
            yield item
        call.sleep(0)  # leaks


class KeepsTheCall(Plugin):
    plugins: list[Any] = []  # noqa: RUF012 - they outlive their clients, as a service's do

    def __init__(self) -> None:
        self.plugins.append(self)

    async def around(self, call: Any, request: Any, proceed: Any) -> Any:
        self.last = call  # memory
        async for item in proceed(request):
            yield item


class KeepsTheError(Plugin):
    async def around(self, call: Any, request: Any, proceed: Any) -> Any:
        error = None
        try:
            async for item in proceed(request):
                yield item
        except Exception as caught:
            error = caught
            raise
        finally:
            call.note("ending", error=type(error).__name__)  # memory


class Sleeps(Plugin):
    async def around(self, call: Any, request: Any, proceed: Any) -> Any:
        time.sleep(0.001)  # noqa: ASYNC251  # event-loop
        async for item in proceed(request):
            yield item


class Writes(Plugin):
    async def around(self, call: Any, request: Any, proceed: Any) -> Any:
        try:
            async for item in proceed(request):
                yield item
        finally:
            with open("/dev/null", "w") as log:  # noqa: ASYNC230, PTH123  # event-loop
                log.write("over")


class WaitsForAThread(Plugin):
    async def around(self, call: Any, request: Any, proceed: Any) -> Any:
        async for item in proceed(request):
            yield item
        threading.Event().wait(0.001)  # event-loop


class ReadsADescriptor(Plugin):
    async def around(self, call: Any, request: Any, proceed: Any) -> Any:
        descriptor = os.open("/dev/null", os.O_RDONLY)  # event-loop
        os.close(descriptor)
        async for item in proceed(request):
            yield item


class FailsInAHook(Plugin):
    @hookimpl
    def orq_wrap_create(self, call: Any) -> Any:
        raise LookupError("nothing to wrap")  # errors


class Computes(Plugin):
    async def around(self, call: Any, request: Any, proceed: Any) -> Any:
        until = time.monotonic() + 0.3
        while call.runtime.is_async and not call.stream and time.monotonic() < until:
            sum(range(1_000_000))  # event-loop
        async for item in proceed(request):
            yield item


class Awaits(Plugin):
    async def around(self, call: Any, request: Any, proceed: Any) -> Any:
        await asyncio.sleep(0)  # blocking-mode
        async for item in proceed(request):
            yield item


class AwaitsQuietly(Plugin):
    async def around(self, call: Any, request: Any, proceed: Any) -> Any:
        async for item in proceed(request):
            yield item
        try:
            await self.report()
        except Exception:
            return

    async def report(self) -> None:
        await asyncio.sleep(0)  # blocking-mode


class AsksForTheLoop(Plugin):
    async def around(self, call: Any, request: Any, proceed: Any) -> Any:
        loop = asyncio.get_running_loop()  # blocking-mode
        loop.call_soon(int)
        async for item in proceed(request):
            yield item


class Counts(Plugin):
    async def around(self, call: Any, request: Any, proceed: Any) -> Any:
        self.seen = 0  # isolation
        async for item in proceed(request):
            self.seen += 1
            yield item
        call.note("counts", items=self.seen)


class Mixes(Plugin):
    async def around(self, call: Any, request: Any, proceed: Any) -> Any:
        self.request = request  # isolation
        async for item in proceed(request):
            yield item
        call.note("mixes", said=self.request.messages[0].content)


class Attaches(Plugin):
    async def around(self, call: Any, request: Any, proceed: Any) -> Any:
        token = CURRENT.set(call.id)
        try:
            async for item in proceed(request):
                yield item  # isolation
        finally:
            CURRENT.reset(token)


class SetsForAll(Plugin):
    async def around(self, call: Any, request: Any, proceed: Any) -> Any:
        async for item in proceed(request):  # isolation
            yield item
        CURRENT.set(call.id)


class OneAtATime(Plugin):
    def __init__(self) -> None:
        self.lock = threading.Lock()

    async def around(self, call: Any, request: Any, proceed: Any) -> Any:
        with self.lock:  # isolation
            async for item in proceed(request):
                yield item


class Costs(Plugin):  # overhead
    async def around(self, call: Any, request: Any, proceed: Any) -> Any:
        async for item in proceed(request):
            sum(range(5000))
            yield item
