"""The innermost layer: one request on the wire, and the items of its answer."""

from __future__ import annotations

import contextlib
import re
import warnings
from typing import TYPE_CHECKING

from attrs import define, field

from orq_core._answers import AnswerReader, unfolded
from orq_core._http_request import http_request
from orq_core.call import Attempt
from orq_core.config import checked_headers
from orq_core.errors import (
    APIConnectionError,
    OrqError,
    ResponseDecodeError,
    StreamError,
    StreamInterruptedError,
    StreamTruncatedError,
)
from orq_core.errors._from_status import known_headers, status_error
from orq_core.errors._scrub import Scrub

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence

    import pluggy
    from cattrs import Converter

    from orq_core._answers import Piece
    from orq_core.call import Call, CallInfo, Item, Items
    from orq_core.models import ChatCompletion, ChatCompletionRequest
    from orq_core.transports import HttpRequest, Response, Transport

_OK = range(200, 300)
# No reason is longer, and a compressed one may grow a thousandfold.
_ERROR_BYTES = 4 * 2**20
_PRIVATE = re.compile(r"auth|(?<!idempotency-)key|token|secret|cookie", re.IGNORECASE)


@define(eq=False)
class Wire:
    """What a client's calls share on their way out."""

    transport: Transport
    converter: Converter
    hook: pluggy.HookRelay
    max_event_bytes: int = 64 * 2**20


@define(eq=False)
class Sender:
    """The source of one call's items; every call of `items` or `batches` is one attempt."""

    wire: Wire
    key: str | None = field(repr=False)
    _responses: list[Response] = field(factory=list["Response"], repr=False)

    def abort(self) -> None:
        """Drop the connections of this call from any thread, which wakes their reader."""
        for response in tuple(self._responses):
            response.close()

    async def items(self, call: Call, request: ChatCompletionRequest) -> Items:
        """Yield the answer's items one by one, for layers; see `batches`."""
        async with contextlib.aclosing(self.batches(call, request)) as batches:
            async for batch in batches:
                for item in unfolded(batch):
                    yield item

    async def batches(
        self, call: Call, request: ChatCompletionRequest
    ) -> AsyncGenerator[Sequence[Item | Piece], None]:
        """Send the request and yield what arrives together; records the attempt on the call."""
        now = call.runtime.now
        began, failure, response, reader = now(), None, None, None
        info = call.info
        info.status, info.request_id, info.trace_id, info.headers = None, None, None, {}
        info.bytes_received = 0
        info.attempts_begun += 1
        # A plugin that was asked may have changed it in place.
        checked = request is call.request and not self.wire.hook.orq_wrap_create.get_hookimpls()
        http = http_request(call, request, self.wire.converter, self.key, checked=checked)
        # Pluggy takes its time even where nobody listens.
        if self.wire.hook.orq_prepare_request.get_hookimpls():
            self.wire.hook.orq_prepare_request(call=call, http=http)
            http.headers = checked_headers(http.headers)
        try:
            response = await self.wire.transport.send(http)
            info.waited += now() - began
            self._responses.append(response)
            self._note(call, response)
            if response.status not in _OK:
                raise await self._status(response, self._secrets(http))
            reader = AnswerReader(
                self.wire.converter,
                stream=call.stream,
                status=response.status,
                max_bytes=self.wire.max_event_bytes,
            )
            while not reader.done:
                asked = now()
                try:
                    data = await response.receive()
                except APIConnectionError as error:
                    data = self._broken(reader, error)
                info.waited += now() - asked
                info.bytes_received += len(data)
                batch = reader.read(data) if data else reader.end()
                if batch:
                    # Only an event is progress: comments alone must not hold a stream open.
                    http.limits.enter("idle")
                    yield batch
                else:
                    http.limits.remaining()
            if reader.error is not None:
                self._settle(call, reader.error, reader.partial)
                if reader.partial is not None:
                    yield (reader.partial,)
        except OrqError as error:
            self._tell(error, info)
            # Servers that refuse a key like to repeat it.
            Scrub(self._secrets(http)).error(error)
            failure = error
            raise
        finally:
            if response is not None:
                response.close()
                # Ctrl-C may have come before it was in there.
                self._responses[:] = [each for each in self._responses if each is not response]
            self._record(call, began, failure)
            # The exception's traceback refers to this frame, and the reader to its exception.
            del failure, reader

    @staticmethod
    def _tell(error: OrqError, info: CallInfo) -> None:
        """Add to an error what is known of the answer."""
        error.request_id = error.request_id or info.request_id
        error.trace_id = error.trace_id or info.trace_id
        if isinstance(error, ResponseDecodeError) and info.status is not None:
            error.status_code, error.headers = info.status, known_headers(info.headers)

    @staticmethod
    def _broken(reader: AnswerReader, error: APIConnectionError) -> bytes:
        """Tell of a connection that broke; after the last word that is as good as its end."""
        if reader.complete:
            return b""
        try:
            if not reader.is_events:
                raise error
            raise StreamInterruptedError(
                f"the connection broke after {reader.delivered} events of the stream",
                partial=reader.partial,
                delivered=reader.delivered,
            ) from error
        finally:
            # Its traceback refers to this frame.
            del error

    @staticmethod
    def _record(call: Call, began: float, failure: OrqError | None) -> None:
        info = call.info
        attempt = Attempt(
            number=len(info.attempts) + 1,
            seconds=call.now() - began,
            status=info.status,
            request_id=info.request_id,
            error=None if failure is None else type(failure).__name__,
        )
        info.attempts = (*info.attempts, attempt)
        if failure is not None:
            failure.attempts = info.attempts

    def _secrets(self, http: HttpRequest) -> tuple[str, ...]:
        """Return the key, and what headers of the caller's or a plugin's have in its place."""
        words = [
            value.rpartition(" ")[2]
            for name, value in http.headers.items()
            if _PRIVATE.search(name)
        ]
        return tuple(words if self.key is None else [self.key, *words])

    async def _status(self, response: Response, secrets: tuple[str, ...]) -> OrqError:
        """Make the error of a status; of a body that breaks off, what has arrived is told."""
        body, broken = bytearray(), None
        limit = min(self.wire.max_event_bytes, _ERROR_BYTES)
        try:
            while len(body) < limit and (data := await response.receive()):
                body += data
        except OrqError as cause:
            broken = cause
        error = status_error(response.status, dict(response.headers), bytes(body), secrets)
        error.__cause__ = broken
        # The cause's traceback refers to this frame.
        del broken
        return error

    def _note(self, call: Call, response: Response) -> None:
        info = call.info
        info.status = response.status
        info.headers = {name.lower(): value for name, value in response.headers.items()}
        info.headers.pop("set-cookie", None)
        info.request_id = self._masked(info.headers.get("x-request-id"))
        info.trace_id = self._masked(info.headers.get("x-orq-trace-id"))

    def _masked(self, name: str | None) -> str | None:
        # What errors and attempts tell, and are pickled with.
        return name.replace(self.key, "***") if name and self.key else name

    @staticmethod
    def _settle(call: Call, error: OrqError, partial: ChatCompletion | None) -> None:
        """Raise what ended an answer, unless the caller accepts a truncated one."""
        if isinstance(error, StreamTruncatedError):
            policy = call.options.on_truncation
            if policy == "accept":
                return
            if policy == "warn":
                warnings.warn(str(error), RuntimeWarning, stacklevel=2)
                return
        if isinstance(error, (StreamError, ResponseDecodeError)):
            error.partial = partial
        try:
            raise error
        finally:
            del error
