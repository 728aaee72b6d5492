"""Text that is no answer is in the error, whether it has a colon or not."""

from __future__ import annotations

import pytest

from orq_core import ResponseDecodeError
from orq_core.testing import Mode, chunk, event
from tests.faults.table import Script, answers, streams
from tests.raw_server import RawServer

HEL = event(chunk("hel"))


def error_of(mode: Mode, script: Script, *, stream: bool) -> ResponseDecodeError:
    async def body() -> None:
        async with mode.client(server_url=server.url, discover=False) as client:
            answer = await mode.create(client, model="fake/model", messages=[], stream=stream)
            if stream:
                await mode.completion(answer)

    with RawServer(script) as server, pytest.raises(ResponseDecodeError) as caught:
        mode.run(body)
    return caught.value


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("text", ["no luck", "Warning: no luck", "Warning: no luck\n\nat 12:30"])
def test_text_that_is_no_answer(mode: Mode, text: str, stream: bool) -> None:
    script = answers(text.encode(), kind="text/plain")
    assert error_of(mode, script, stream=stream).body == text.encode()


def test_an_event_that_cannot_be_read(mode: Mode) -> None:
    error = error_of(mode, streams(HEL, b"data: {no luck\n\n"), stream=True)
    assert error.body == b"{no luck"
    assert error.partial is not None
