from __future__ import annotations

from typing import TYPE_CHECKING

from acme_orq_plugins import Numbering

from orq_core import to_dict

if TYPE_CHECKING:
    from conftest import Scene


def test_every_event_has_a_number_and_a_time(scene: Scene) -> None:
    chunks = scene.ask(Numbering(), stream=True)
    stamps = [chunk.extra["acme"] for chunk in chunks]
    assert [stamp["event"] for stamp in stamps] == list(range(1, len(chunks) + 1))
    times = [stamp["ms"] for stamp in stamps]
    assert times == sorted(times)
    assert "".join(chunk.text for chunk in chunks) == "one two three"
    assert to_dict(chunks[0])["acme"]["event"] == 1


def test_whole_answer_is_one_event(scene: Scene) -> None:
    answer = scene.ask(Numbering())
    assert answer.extra["acme"]["event"] == 1
    assert answer.text == "one two three"
    assert answer.info.status == 200
