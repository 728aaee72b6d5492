"""The blocking floor: `requests.Session.post`, a fast JSON decoder and a tuned loop."""

from __future__ import annotations

import time
from typing import Any

import msgspec
import requests

from tests.benchmarks.speed.contestants.asking import KEY, ask

HEADERS = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"}
decode = msgspec.json.Decoder().decode


class Contestant:
    def __init__(self, url: str) -> None:
        self.url = f"{url}/v2/router/chat/completions"
        self.session = requests.Session()

    def _post(self, model: str, *, stream: bool = False) -> Any:
        data = msgspec.json.encode(ask(model, stream=stream))
        return self.session.post(self.url, data=data, headers=HEADERS, stream=stream)

    def complete(self, model: str) -> None:
        assert decode(self._post(model).content)["choices"][0]["message"]["content"]

    def read(self, model: str) -> int:
        count, rest, texts = 0, b"", []
        with self._post(model, stream=True) as response:
            for data in response.iter_content(None):
                lines = (rest + data).split(b"\n")
                rest = lines.pop()
                for line in lines:
                    if line.startswith(b"data: ") and line != b"data: [DONE]":
                        event = decode(line[6:])
                        count += 1
                        if text := event["choices"][0]["delta"].get("content"):
                            texts.append(text)
        assert "".join(texts)
        return count

    def first(self, model: str) -> float:
        began = time.perf_counter()
        with self._post(model, stream=True) as response:
            pieces = response.iter_content(None)
            data = b""
            while b"\n\n" not in data:
                data += next(pieces)
            assert decode(data.partition(b"\n\n")[0][6:])["choices"]
            taken = time.perf_counter() - began
            for _ in pieces:
                pass
        return taken

    def close(self) -> None:
        self.session.close()
