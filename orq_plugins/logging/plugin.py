"""`Logging`: the plugin."""

from __future__ import annotations

import logging
import zlib
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from orq_core import ConfigurationError, hookimpl
from orq_core.layers import outcome_of
from orq_plugins.logging.content import CONTENTS, Content, shown
from orq_plugins.logging.headers import HEADERS
from orq_plugins.logging.observation import Observation, in_ms

if TYPE_CHECKING:
    from collections.abc import Collection

    from orq_core import Call, Items, Layer, Proceed
    from orq_core.models import ChatCompletionRequest
    from orq_core.transports import HttpRequest

_root = logging.getLogger("orq")
_root.addHandler(logging.NullHandler())
_call = logging.getLogger("orq.call")
_attempt = logging.getLogger("orq.attempt")
_stream = logging.getLogger("orq.stream")

_BUCKETS = 2**32


class Logging:
    """Writes one INFO line at the end of each call, whatever its end, to the logger ``orq.call``.

    ``content``: "off"; "shape" (roles, lengths, kinds of parts); "redacted" (what is said, where
    `Redaction` has taken private values out, else its shape); "full". ``sample``: the fraction of
    calls that are logged, chosen by their ids; failed, slow and repeated ones always are.
    ``slow``: seconds from which a call is slow. ``slow_plugins``: seconds of one call in plugins
    that are worth a warning. ``events_every``: one DEBUG line per so many events, 0 for none.
    ``headers``: names of headers that may be logged, in place of `HEADERS`.

    WARNING lines tell repeats (``orq.attempt``), unfinished streams (``orq.stream``) and slow calls
    and plugins (``orq.call``); DEBUG lines tell attempts. A handler that fails, or a note of
    another plugin that is not as expected, is reported once and never reaches the call.

    Raises ConfigurationError for an argument that can't be used.
    """

    name = "logging"

    def __init__(
        self,
        *,
        content: Content = "off",
        sample: float = 1.0,
        slow: float = 30.0,
        slow_plugins: float = 0.25,
        events_every: int = 100,
        headers: Collection[str] = HEADERS,
    ) -> None:
        """Check the arguments; no handler is added to anything."""
        if content not in CONTENTS:
            raise ConfigurationError(f"content: expected one of {', '.join(CONTENTS)}")
        if not 0 <= sample <= 1:
            raise ConfigurationError("sample: expected a fraction from 0 to 1")
        for name, value in (("slow", slow), ("slow_plugins", slow_plugins)):
            if not value > 0:
                raise ConfigurationError(f"{name}: expected a positive number of seconds")
        if events_every < 0:
            raise ConfigurationError("events_every: expected a number of events, or 0")
        self._content: Content = content
        self._sample = sample
        self._slow = slow
        self._slow_plugins = slow_plugins
        self._events_every = events_every
        self._headers = frozenset(name.lower() for name in headers)
        self._has_failed = False

    @hookimpl(tryfirst=True)
    def orq_wrap_create(self, call: Call) -> Layer | None:
        """Stay out when nobody listens."""
        del call
        return self.around if _call.isEnabledFor(logging.WARNING) else None

    @hookimpl
    def orq_explain(self) -> dict[str, Any]:
        """Tell what is listened to."""
        lines = ((_call, logging.INFO), (_attempt, logging.DEBUG), (_stream, logging.DEBUG))
        return {
            "writes": [
                f"{logger.name} {logging.getLevelName(level)}"
                for logger, level in lines
                if logger.isEnabledFor(level)
            ],
            "content": self._content,
            "sampled": f"{self._sample:.0%}",
        }

    @hookimpl(trylast=True)
    def orq_prepare_request(self, call: Call, http: HttpRequest) -> None:
        """Tell of an attempt, and of the one before it."""
        before = call.info.attempts
        if before:
            last = before[-1]
            # A plugin may also ask again because of what was answered.
            ended = "ended" if last.error is None else "failed"
            self._tell(
                call,
                last.number,
                f" {ended} ({last.error or last.status}), repeating",
                level=logging.WARNING,
                status=last.status,
                error_type=last.error,
                latency_ms=in_ms(last.seconds),
                request_id=last.request_id,
            )
        if _attempt.isEnabledFor(logging.DEBUG) and self._sampled(call):
            self._tell(
                call,
                len(before) + 1,
                f": {http.method} {_plain(http.url)}",
                headers=self._allowed(http.headers),
            )

    async def around(self, call: Call, request: ChatCompletionRequest, proceed: Proceed) -> Items:
        """Pass everything on, and log the end."""
        seen = Observation(call, self._content)
        every = self._events_every if _stream.isEnabledFor(logging.DEBUG) else 0
        error: BaseException | None = None
        now = call.runtime.now
        asked = now()
        try:
            async for item in proceed(request):
                seen.item(item, now() - asked)
                if every and seen.events % every == 0:
                    self._event(call, seen)
                yield item
                asked = now()
        except BaseException as caught:
            error = caught
            raise
        finally:
            try:
                seen.end()
                self._end(call, request, seen, error)
            except Exception as failure:  # noqa: BLE001 - handlers and notes of others raise what they like; it is reported once and must not end the call
                self._report(failure)
            # The traceback refers to this frame: without this, a cycle keeps the stream.
            error = None

    def _end(
        self,
        call: Call,
        request: ChatCompletionRequest,
        seen: Observation,
        error: BaseException | None,
    ) -> None:
        outcome = outcome_of(error)
        fields = seen.fields(request, outcome, error)
        seconds = seen.seconds
        kept = outcome not in {"ok", "closed_early"} or call.info.attempts_begun > 1
        slow = seconds >= self._slow
        if outcome in {"truncated", "stalled"}:
            self._log(
                _stream,
                logging.WARNING,
                f"the answer is unfinished ({outcome}) after {seen.events} events",
                **fields,
            )
        if slow:
            self._log(_call, logging.WARNING, f"slow call: {seconds:.1f} s", **fields)
        if seen.plugin_seconds >= self._slow_plugins:
            spent = in_ms(seen.plugin_seconds)
            self._log(_call, logging.WARNING, f"plugins took {spent} ms of a call", **fields)
        if not (kept or slow or self._sampled(call)):
            return
        if _attempt.isEnabledFor(logging.DEBUG):
            self._answered(call)
        if _call.isEnabledFor(logging.INFO):
            fields.update(shown(self._content, call, request, seen))
            model = fields["model_answered"] or fields["model_asked"] or "no model"
            said = f"{outcome}: {model}, {fields['latency_ms']} ms, {seen.events} events"
            self._log(_call, logging.INFO, said, **fields)

    def _answered(self, call: Call) -> None:
        for attempt in call.info.attempts:
            last = attempt.number == call.info.attempts_begun
            self._tell(
                call,
                attempt.number,
                f" ended: {attempt.error or attempt.status}",
                status=attempt.status,
                latency_ms=in_ms(attempt.seconds),
                headers=self._allowed(call.info.headers) if last else {},
            )
        info = call.info
        if info.attempts_begun > len(info.attempts) and info.status is not None:
            # A stream that is left is told before its attempt is over.
            self._tell(
                call,
                info.attempts_begun,
                f" left: {info.status}",
                status=info.status,
                headers=self._allowed(info.headers),
            )

    def _tell(
        self, call: Call, number: int, said: str, *, level: int = logging.DEBUG, **fields: Any
    ) -> None:
        """Tell of one attempt of a call."""
        said = f"attempt {number}{said}"
        self._log(_attempt, level, said, call_id=call.id, attempt=number, **fields)

    def _event(self, call: Call, seen: Observation) -> None:
        self._log(
            _stream,
            logging.DEBUG,
            f"event {seen.events}",
            call_id=call.id,
            events=seen.events,
            bytes=call.info.bytes_received,
        )

    def _allowed(self, headers: Any) -> dict[str, str]:
        return {name: value for name, value in headers.items() if name.lower() in self._headers}

    def _sampled(self, call: Call) -> bool:
        return zlib.crc32(call.id.encode()) < self._sample * _BUCKETS

    def _log(self, logger: logging.Logger, level: int, message: str, **fields: Any) -> None:
        try:
            logger.log(level, message, extra=fields)
        except Exception as failure:  # noqa: BLE001 - handlers and notes of others raise what they like; it is reported once and must not end the call
            self._report(failure)

    def _report(self, failure: Exception) -> None:
        if not self._has_failed:
            self._has_failed = True
            said = f"logging failed ({type(failure).__name__}); this is not said again"
            record = logging.LogRecord("orq", logging.WARNING, __file__, 0, said, None, None)
            logging.lastResort.handle(record) if logging.lastResort else None


def _plain(url: str) -> str:
    """Return a URL without user info and query."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
