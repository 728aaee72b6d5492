"""Events that come one at a time and repeat each other, each in one step.

A stream that is not in a hurry wakes a process whose caches are cold, and there each function on
the way from the socket to `next` takes a microsecond. So what comes alone is compared with the one
before it, and where only its text differs, that is all that is done. Anything else goes the usual
way. Such an event takes three fifths of the time
(``python -m tests.benchmarks.speed "sync stream, paced"``).
"""

from __future__ import annotations

from threading import get_ident
from typing import TYPE_CHECKING

from msgspec import MsgspecError

from orq_core._answers.template import decode_text
from orq_core._runtime import drive

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orq_core._answers.template import Template
    from orq_core._feed import Feed
    from orq_core._reply import Reply
    from orq_core.models import ChatCompletionChunk


def paced(feed: Feed, reply: Reply, template: Template) -> Iterator[ChatCompletionChunk]:
    """Yield chunks while they come alone and are the template's; ends when anything else came."""
    singles = reply.singles()
    if singles is None:
        return
    content, reader, events, limits = singles
    info, now, texts, make = feed.call.info, limits.clock, feed.tally.texts, template.make
    before, after = b"data: " + template.before, template.after + b"\n\n"
    start, stop = len(before) - 1, 1 - len(after)
    least, most = len(before) + len(after), events.decoder.max_event_bytes
    limits.enter("idle")
    idle = limits.timeout.idle
    try:
        while True:
            feed.running, feed.reader = True, get_ident()
            asked = now()
            if idle is not None:
                limits.phase_at = asked + idle
            data = next(content, b"")
            info.waited += now() - asked
            feed.running = False
            info.bytes_received += len(data)
            if feed.aborted:
                drive(feed.end())
            if least <= len(data) <= most and data.startswith(before) and data.endswith(after):
                try:
                    text = decode_text(data[start:stop])
                except (MsgspecError, UnicodeError):
                    pass
                else:
                    events.delivered += 1
                    events.templates.used += 1
                    texts.append(text)
                    yield make(text)
                    continue
            pieces = reader.read(data) if data else ()
            feed.waiting += pieces[::-1]
            # The time of an event that is still to come does not begin anew.
            reply.another = bool(pieces)
            return
    except GeneratorExit:
        raise
    except BaseException as error:
        drive(feed.fail(error))
        raise
