"""A client with one plugin, and what it sent."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from orq_core.testing import Mode, ScriptedTransport

if TYPE_CHECKING:
    from collections.abc import Callable

    from orq_core.testing import Reply


class Scene:
    """Asks with one plugin in one mode; ``sent`` lists the bodies, ``headers`` their headers."""

    def __init__(self, mode: Mode) -> None:
        """Nothing was asked yet."""
        self.mode = mode
        self.sent: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []

    def ask(self, plugin: object, *replies: Reply, **fields: Any) -> Any:
        """Return the completion, or the chunks of a stream; it echoes the prompt by default."""

        async def body() -> Any:
            transport = ScriptedTransport(*replies, is_async=self.mode.is_async)
            if "request" not in fields:
                fields.setdefault("model", "openai/gpt-4o-mini")
                fields.setdefault("messages", [{"role": "user", "content": "one two three"}])
            async with self.mode.client(
                api_key="fake-key", plugins=[plugin], discover=False, transport=transport
            ) as client:
                try:
                    answer = await self.mode.create(client, **fields)
                    if fields.get("stream"):
                        return [item async for item in self.mode.iterate(answer)]
                    return answer
                finally:
                    self.sent += [json.loads(each.body) for each in transport.requests]
                    self.headers += [each.headers for each in transport.requests]

        return self.mode.run(body)


@pytest.fixture
def scene(mode: Mode, monkeypatch: pytest.MonkeyPatch) -> Scene:
    """Give the test both modes in turn, by the fixture `mode` of orq_core.testing."""
    for name in ("ACME_ORQ_POLICY", "ACME_ORQ_TEAM"):
        monkeypatch.delenv(name, raising=False)
    return Scene(mode)


@pytest.fixture
def policy_file(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Write a policy file and name it in the environment."""

    def write(text: str) -> None:
        path = tmp_path / "policy.json"
        path.write_text(text, "utf-8")
        monkeypatch.setenv("ACME_ORQ_POLICY", str(path))

    return write
