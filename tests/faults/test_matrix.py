"""Every row of the matrix, in both modes, for whole answers and streams, alone and with plugins."""

from __future__ import annotations

import time
from typing import Any

import pytest

from orq_core import ChatCompletion, Timeout
from orq_core.testing import MODES, Mode
from orq_plugins import Caching, Logging, Redaction, Retries
from tests.faults import rows
from tests.faults.certificates import Certificates
from tests.faults.table import LateError, Outcome, Row
from tests.raw_server import RawServer

KEY = "fake-key-of-the-matrix-1234567890"
ASK: dict[str, Any] = {"model": "fake/model", "messages": [{"role": "user", "content": "hello"}]}
STACKS = ("bare", "four")
CASES = [
    pytest.param(row, mode, kind, stack, id=f"{row.name}-{kind}-{mode.name}-{stack}")
    for row in rows.ALL
    for kind in row.kinds
    for mode in MODES
    for stack in STACKS
]


def plugins(stack: str, row: Row) -> list[Any]:
    if stack == "bare":
        return []
    repeats = Retries(policy=2 if row.repeated else 0, random=lambda: 0.0)
    return [Redaction(), Logging(), Caching(policy="all"), repeats]


async def outcome_of(mode: Mode, url: str, row: Row, kind: str, stack: str) -> Outcome:
    """Make the call, and read it to its end."""
    outcome = Outcome(streamed=kind == "stream")
    given = {"api_key": KEY, "server_url": url, "timeout": row.timeout or Timeout(total=30)}
    began = time.monotonic()
    try:
        arguments = {**given, "plugins": plugins(stack, row), "discover": False, **row.client}
        async with mode.client(**arguments) as client:
            began = time.monotonic()
            outcome.answer = await mode.create(
                client, **{**ASK, "stream": kind == "stream", **row.call}
            )
            if isinstance(outcome.answer, ChatCompletion):
                outcome.text = outcome.answer.text
            else:
                async for each in mode.iterate(outcome.answer):
                    outcome.text += each.text
                    outcome.chunks += 1
    except Exception as error:
        outcome.error = error
    outcome.seconds = time.monotonic() - began
    return outcome


@pytest.mark.parametrize(("row", "mode", "kind", "stack"), CASES)
def test_row(row: Row, mode: Mode, kind: str, stack: str, certificates: Certificates) -> None:
    for chance in (1, 2, 3):
        try:
            check(row, mode, kind, stack, certificates)
        except LateError:
            # A busy machine is late now and then, but not three times in turn.
            if chance == 3:
                raise
        else:
            return


def check(row: Row, mode: Mode, kind: str, stack: str, certificates: Certificates) -> None:
    context = None if row.tls is None else certificates.server(row.tls)
    with RawServer(row.serve, context, row.before) as server, row.at(server) as url:
        named = row.of({"server": server.url, **certificates.files()})
        outcome = mode.run(lambda: outcome_of(mode, url, named, kind, stack))
        attempts = len(server.requests)
        assert attempts <= (3 if row.repeated and stack == "four" else 1)
        row.check(outcome)


def test_names_are_unique_and_rows_many():
    names = [row.name for row in rows.ALL]
    assert len(set(names)) == len(names)
    assert len(names) >= 200
