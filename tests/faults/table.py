"""The fault matrix: what a server does, and what a careful user must see."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Literal

from attrs import define, evolve, field

from orq_core import OrqError, StreamError, Timeout
from tests.raw_server import Before, Connection, RawServer, chunked, head

Kind = Literal["json", "stream"]
Script = Callable[[Connection], None]

BOTH: tuple[Kind, ...] = ("json", "stream")
JSON: tuple[Kind, ...] = ("json",)
STREAM: tuple[Kind, ...] = ("stream",)
SOON = 5.0  # seconds within which anything that does not wait on purpose is over


class LateError(AssertionError):
    """A call came out as it must, but not in time."""


@define(frozen=True)
class Expect:
    """What the caller gets.

    ``error``: its class, None for a good answer. ``text``: the answer's text; with an error, what
    had been handed out of a stream before. ``attributes``: what the error's attributes are.
    ``says`` and ``hides``: patterns that are, and are not, in its message. ``kind``: of a time-out.
    ``or_good``: instead of the error, a good answer with this text will do.
    """

    error: type[BaseException] | tuple[type[BaseException], ...] | None = None
    text: str | None = None
    attributes: dict[str, Any] = field(factory=dict)
    says: str = ""
    hides: str = ""
    kind: str | None = None
    or_good: bool = False


@define(frozen=True)
class Row:
    """One scenario.

    ``serve`` answers each request, on a plain socket. ``kinds``: the calls it is for. ``after``
    and ``within``: seconds before which it can't be over, and after which it must be. ``repeated``:
    whether `Retries` may ask again. ``client``: arguments of the client, ``call`` of ``create``.
    ``tls``: the name of the server's certificate, None for plain text; the client trusts its
    authority unless ``client`` says otherwise. ``before`` runs on each connection before TLS and
    before the request is read. ``at`` makes the URL that is asked, and stands while it is. Texts
    in ``client`` may name ``{server}``, the server's URL, and `Certificates.files`.
    """

    name: str
    serve: Script
    expect: Expect
    kinds: tuple[Kind, ...] = BOTH
    timeout: Timeout | None = None
    after: float = 0.0
    within: float = SOON
    repeated: bool = False
    client: dict[str, Any] = field(factory=dict)
    call: dict[str, Any] = field(factory=dict)
    tls: str | None = None
    before: Before | None = None
    at: Callable[[RawServer], AbstractContextManager[str]] = lambda server: nullcontext(server.url)

    def of(self, names: dict[str, str]) -> Row:
        """Fill in what ``client`` names."""
        client = {**({} if self.tls is None else {"verify": "{bundle}"}), **self.client}
        for argument, value in client.items():
            for name, text in names.items():
                if isinstance(value, str) and f"{{{name}}}" in value:
                    client[argument] = value.replace(f"{{{name}}}", text)
        return evolve(self, client=client)

    def check(self, outcome: Outcome) -> None:
        """Assert that a call came out as it must."""
        expect, error = self.expect, outcome.error
        if expect.or_good:
            expect = evolve(expect, **({"error": None} if error is None else {"text": None}))
        if expect.error is None:
            assert error is None, f"raised {error!r}"
        else:
            assert isinstance(error, expect.error), f"got {error!r}, text {outcome.text!r}"
            assert isinstance(error, (OrqError, KeyboardInterrupt)), "an error of no dependency"
            said = str(error)
            assert re.search(expect.says, said), f"says {said!r}"
            assert not expect.hides or not re.search(expect.hides, said), f"says {said!r}"
            assert "\n" not in said
            assert len(said) < 1000
            for name, value in expect.attributes.items():
                assert getattr(error, name) == value, f"{name} is {getattr(error, name)!r}"
            if expect.kind is not None:
                assert getattr(error, "kind", None) == expect.kind
        if expect.text is not None:
            assert outcome.text == expect.text
            if isinstance(error, StreamError) and outcome.streamed and expect.text:
                assert error.partial is not None
                assert error.partial.text == expect.text
            if isinstance(error, StreamError) and outcome.streamed:
                assert error.delivered == outcome.chunks
        assert self.after <= outcome.seconds, f"took {outcome.seconds:.2f} s"
        if outcome.seconds > self.within:
            raise LateError(f"took {outcome.seconds:.2f} s")


@define
class Outcome:
    """What one call came to."""

    text: str = ""
    chunks: int = 0
    error: BaseException | None = None
    seconds: float = 0.0
    streamed: bool = False
    answer: Any = None


def sends(*pieces: bytes) -> Script:
    """Send these bytes, then close the connection."""

    def script(connection: Connection) -> None:
        for piece in pieces:
            connection.send(piece)

    return script


def answers(
    body: bytes, *headers: str, status: str = "200 OK", kind: str = "application/json"
) -> Script:
    """Send a whole answer of known length."""
    return sends(
        head(f"Content-Type: {kind}", f"Content-Length: {len(body)}", *headers, status=status),
        body,
    )


def streams(*pieces: bytes, end: bytes = b"0\r\n\r\n", kind: str = "text/event-stream") -> Script:
    """Send an answer in chunks; ``end`` is what closes it properly."""
    return sends(
        head(f"Content-Type: {kind}", "Transfer-Encoding: chunked"),
        *map(chunked, pieces),
        end,
    )
