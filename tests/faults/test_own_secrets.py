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
    "headers",
    [
        {"Authorization": f"Bearer {SECRET}"},
        {"X-Api-Key": SECRET},
        {"Cookie": f"session={SECRET}; theme=dark"},
        {"cookie": f'a=b;session = "{SECRET}" ; theme=dark'},
    ],
    ids=str,
)
def test_a_server_that_repeats_it(mode: Mode, headers: dict[str, str], status: str) -> None:
    async def body() -> None:
        async with mode.client(server_url=server.url, headers=headers, discover=False) as client:
            await mode.create(client, model="fake/model", messages=[])

    with RawServer(answers(ECHO, status=status)) as server, pytest.raises(OrqError) as caught:
        mode.run(body)
    assert SECRET not in shown(caught.value)


def test_words_of_a_cookie_are_no_secrets(mode: Mode) -> None:
    async def body() -> None:
        headers = {"Cookie": "id=12ab; theme=dark; lang=en"}
        async with mode.client(server_url=server.url, headers=headers, discover=False) as client:
            await mode.create(client, model="fake/model", messages=[])

    echo = json.dumps({"error": {"message": "it is dark; id=12ab is unknown"}}).encode()
    with RawServer(answers(echo, status="401 x")) as server, pytest.raises(OrqError) as caught:
        mode.run(body)
    assert str(caught.value).startswith("401 Unauthorized: it is dark; *** is unknown")
