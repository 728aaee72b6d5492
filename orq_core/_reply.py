"""One attempt: a request on the wire, and what arrives of its answer."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

from orq_core._answers import AnswerReader
from orq_core._http_request import http_request
from orq_core._origins import Origin
from orq_core._refusal import refusal, secrets_of
from orq_core.call import Attempt
from orq_core.config import checked_headers
from orq_core.errors import (
    APIConnectionError,
    OrqError,
    ResponseDecodeError,
    StreamError,
    StreamTruncatedError,
)
from orq_core.errors._from_status import known_headers
from orq_core.errors._scrub import Scrub

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from orq_core._answers import Piece, StreamReader
    from orq_core._http import Wire
    from orq_core.call import Call, Item
    from orq_core.limits import Limits
    from orq_core.models import ChatCompletion, ChatCompletionRequest
    from orq_core.transports import Response

_OK = range(200, 300)


class Reply:
    """Sends a request when it is first pulled, and yields what arrives together.

    No generator: an event loop writes each of those into its books and strikes it out again. The
    attempt is recorded on the call when it is over. ``responses`` holds the call's open answers.
    """

    __slots__ = (
        "_began",
        "_call",
        "_headers",
        "_key",
        "_opened",
        "_over",
        "_request",
        "_response",
        "_responses",
        "_wire",
        "another",
    )

    def __init__(
        self,
        wire: Wire,
        key: str | None,
        responses: list[Response],
        call: Call,
        request: ChatCompletionRequest,
    ) -> None:
        """Do nothing yet."""
        self._wire = wire
        self._key = key
        self._responses = responses
        self._call = call
        self._request = request
        self._began = 0.0
        self._headers: Mapping[str, str] | None = None  # of the request, once it is on its way
        self._response: Response | None = None
        self._opened: tuple[Response, AnswerReader, Limits] | None = None
        self._over = False
        self.another = False  # whether the next wait is for another event than the last one was

    def __aiter__(self) -> Reply:
        """Return itself."""
        return self

    async def __anext__(self) -> Sequence[Item | Piece]:
        """Wait for what comes next; whatever fails ends the attempt."""
        if self._over:
            raise StopAsyncIteration
        reader: AnswerReader | None = None
        ended: OrqError | None = None
        try:
            response, reader, limits = self._opened or await self._send()
            info, now = self._call.info, self._call.runtime.now
            if self.another:
                # What the caller did with the last event is no time of the server's.
                limits.enter("idle")
            while not reader.done:
                asked = now()
                try:
                    data = await response.receive()
                except APIConnectionError as error:
                    data = reader.broken(error)
                finally:
                    info.waited += now() - asked
                info.bytes_received += len(data)
                batch = reader.read(data) if data else reader.end()
                if not batch:
                    limits.remaining()
                    continue
                # Only an event is progress: comments alone must not hold a stream open.
                self.another = True
                return batch
            ended, reader.error = reader.error, None
            if ended is not None and (partial := self._settled(ended, reader.partial)):
                return (partial,)
        except BaseException as error:
            # Its traceback refers to this frame, and the reader to it.
            reader = ended = None
            self._fail(error)
            raise
        self._end(None, whole=True)
        raise StopAsyncIteration

    def singles(self) -> tuple[Iterator[bytes], AnswerReader, StreamReader, Limits] | None:
        """Return what receives events that come one at a time, and what they are read by.

        None unless the answer is a stream between two events, and a `ByChunk`.
        """
        if self._opened is None:
            return None
        response, reader, limits = self._opened
        events, singles = reader.events, getattr(response, "singles", None)
        if singles is None or events is None or events.done or not events.decoder.between:
            return None
        content = singles()
        return None if content is None else (content, reader, events, limits)

    async def aclose(self) -> None:
        """End the attempt; idempotent."""
        self._end(None)

    async def _send(self) -> tuple[Response, AnswerReader, Limits]:
        """Send the request and wait for the head of its answer."""
        call, wire = self._call, self._wire
        if wire.closed:
            raise APIConnectionError("the client was closed before the request was sent")
        info, now, hook = call.info, call.runtime.now, wire.hook
        began = self._began = now()
        info.status, info.request_id, info.trace_id, info.headers = None, None, None, {}
        info.bytes_received = 0
        info.attempts_begun += 1
        # A plugin that was asked may have changed it in place.
        checked = self._request is call.request and not hook.orq_wrap_create.get_hookimpls()
        http = http_request(call, self._request, wire.converter, self._key, checked=checked)
        # Pluggy takes its time even where nobody listens.
        if hook.orq_prepare_request.get_hookimpls():
            hook.orq_prepare_request(call=call, http=http)
            http.headers = checked_headers(http.headers)
        self._headers = http.headers
        response = self._response = await wire.transport.send(http)
        info.waited += now() - began
        self._responses.append(response)
        self._note(response)
        if response.status not in _OK:
            secrets = secrets_of(http.headers, self._key)
            raise await refusal(response, secrets, wire.max_event_bytes)
        reader = AnswerReader(
            wire.converter,
            stream=call.stream,
            status=response.status,
            max_bytes=wire.max_event_bytes,
        )
        self._opened = opened = response, reader, http.limits
        return opened

    def _fail(self, error: BaseException) -> None:
        """Tell an error what is known of the answer, and end with it."""
        if not isinstance(error, OrqError) or self._headers is None:
            self._end(None)
            return
        info = self._call.info
        error.request_id = error.request_id or info.request_id
        error.trace_id = error.trace_id or info.trace_id
        if isinstance(error, ResponseDecodeError) and info.status is not None:
            error.status_code, error.headers = info.status, known_headers(info.headers)
        # Servers that refuse a key like to repeat it.
        Scrub(secrets_of(self._headers, self._key)).error(error)
        self._end(error)

    def _end(self, failure: OrqError | None, *, whole: bool = False) -> None:
        """Release the answer and record the attempt, once; ``whole``: all of it has arrived."""
        if self._over:
            return
        self._over = True
        response, self._response, self._opened = self._response, None, None
        if response is not None:
            # See `Releasable`: not every transport has it.
            release = getattr(response, "release", None) if whole else None
            (release or response.close)()
            # Ctrl-C may have come before it was in there.
            self._responses[:] = [each for each in self._responses if each is not response]
        if self._headers is None:
            return
        info = self._call.info
        attempt = Attempt(
            number=len(info.attempts) + 1,
            seconds=self._call.now() - self._began,
            status=info.status,
            request_id=info.request_id,
            error=None if failure is None else type(failure).__name__,
        )
        info.attempts = (*info.attempts, attempt)
        if failure is not None:
            failure.attempts = info.attempts

    def _note(self, response: Response) -> None:
        info = self._call.info
        info.status = response.status
        headers = {name.lower(): value for name, value in response.headers.items()}
        headers.pop("set-cookie", None)
        if self._key and self._key in "\n".join(headers.values()):
            # Errors and attempts tell of them, and are pickled with them.
            headers = {n: value.replace(self._key, "***") for n, value in headers.items()}
        info.headers = headers
        info.request_id = headers.get("x-request-id")
        info.trace_id = headers.get("x-orq-trace-id")

    def _settled(self, ended: OrqError, partial: ChatCompletion | None) -> ChatCompletion | None:
        """Raise what ended an answer; return the rest of one whose caller accepts it truncated."""
        if isinstance(ended, StreamTruncatedError):
            policy = self._call.options.on_truncation
            if policy == "warn":
                # Python shows a warning once for each line that warns, and this is about one call.
                here = Origin.here()
                warnings.warn_explicit(str(ended), RuntimeWarning, here.file, here.line)
            if policy in {"accept", "warn"}:
                return partial
        if isinstance(ended, (StreamError, ResponseDecodeError)):
            ended.partial = partial
        try:
            raise ended
        finally:
            # Its traceback refers to this frame.
            del ended
