"""A secret that stands in a header of the caller's own is hidden like the key."""

from __future__ import annotations

import json

import pytest

from orq_core import OrqError
from orq_core.testing import Mode
from tests.faults.table import answers
from tests.faults.test_credentials import shown
from tests.raw_server import RawServer

SECRET = "fake-canary-of-ones-own-5a1f9c"
ECHO = json.dumps({"error": {"message": f"bad key {SECRET}"}}).encode()


@pytest.mark.parametrize("status", ["401 x", "200 OK"])
@pytest.mark.parametrize(
    "headers", [{"Authorization": f"Bearer {SECRET}"}, {"X-Api-Key": SECRET}], ids=list
)
def test_a_server_that_repeats_it(mode: Mode, headers: dict[str, str], status: str) -> None:
    async def body() -> None:
        async with mode.client(server_url=server.url, headers=headers, discover=False) as client:
            await mode.create(client, model="fake/model", messages=[])

    with RawServer(answers(ECHO, status=status)) as server, pytest.raises(OrqError) as caught:
        mode.run(body)
    assert SECRET not in shown(caught.value)
