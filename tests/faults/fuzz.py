"""Coverage-guided fuzzing of what reads bytes from servers.

``python -m tests.faults.fuzz sse --seconds 600`` runs the target ``sse`` (the decoder of event
streams) or ``answer`` (whole answers and streams) with atheris (``pip install atheris``), seeded
with the recorded traffic. It ends with status 0 when nothing was found; a finding is printed with
its input, to become a test.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import atheris

from tests.shared import exchanges

with atheris.instrument_imports(include=["orq_core"]):
    from orq_core import OrqError
    from orq_core._answers import AnswerReader, unfolded
    from orq_core._sse import Decoder, Event, EventTooLargeError
    from orq_core.models import make_converter, to_dict

LIMIT = 4096  # bytes of an event, few enough to be reached
SEED = 6000  # bytes of a recorded body
CONVERTER = make_converter()


def pieces(data: bytes) -> list[bytes]:
    """Cut an input: its first bytes say where."""
    cuts, body = data[:4], data[4:]
    found, at = [], 0
    for cut in cuts:
        found.append(body[at : at + cut])
        at += cut
    return [*found, body[at:]]


def sse(data: bytes) -> None:
    """Decode in pieces and whole: the same events, whatever the bytes."""

    cut = pieces(data)
    one, too_large = decoded(cut)
    other, also = decoded([b"".join(cut)])
    # A line without an end is too large as soon as its pieces are, before it is known what it is.
    assert one == other if too_large == also else one[: len(other)] == other[: len(one)]


def decoded(parts: list[bytes]) -> tuple[list[object], bool]:
    """Return what is in the events, and whether one was too large."""
    decoder = Decoder(max_event_bytes=LIMIT)
    events: list[Event] = []
    too_large = False
    try:
        for part in parts:
            events += decoder.feed(part)
        events += decoder.flush()
    except EventTooLargeError as error:
        events += [Event(each) if isinstance(each, bytes) else each for each in error.blocks]
        too_large = True
    return [(e.data, e.event, e.id, e.retry, e.fields) for e in events], too_large


def answer(data: bytes) -> None:
    """Read as either kind of answer: items that can be written again, or an error of our tree."""
    cut = pieces(data)
    for stream in (False, True):
        reader = AnswerReader(CONVERTER, stream=stream, status=200, max_bytes=LIMIT)
        try:
            items = [item for part in cut if not reader.done for item in reader.read(part)]
            if not reader.done:
                items += reader.end()
            assert reader.done
            for item in unfolded(items):
                to_dict(item)
            if reader.partial is not None:
                to_dict(reader.partial)
        except OrqError as error:
            str(error)


TARGETS = {"sse": sse, "answer": answer}


def main() -> None:
    """Fuzz until the time is over, or something is found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("target", choices=TARGETS)
    parser.add_argument("--seconds", type=int, default=600)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for exchange in exchanges():
            body = exchange.body.encode()[:SEED]
            (Path(folder) / exchange.name).write_bytes(b"\x07\x40\xff\x03" + body)
        atheris.Setup(
            [sys.argv[0], folder, f"-max_total_time={arguments.seconds}", "-max_len=8192"],
            TARGETS[arguments.target],
        )
        atheris.Fuzz()


if __name__ == "__main__":
    main()
