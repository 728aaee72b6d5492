"""The four plugins around calls of a real model server."""

from __future__ import annotations

import json
import logging

import pytest

from orq_core import ConnectError, to_dict
from orq_plugins import Caching, Logging, Redaction, Retries

pytestmark = pytest.mark.real

SCHEMA = {
    "type": "object",
    "properties": {"color": {"enum": ["red", "blue"]}},
    "required": ["color"],
    "additionalProperties": False,
}
ASK = {
    "model": "tiny",
    "messages": [{"role": "user", "content": "I am canary.fake@example.com. Which color?"}],
    "seed": 1,
    "temperature": 0,
    "response_format": {
        "type": "json_schema",
        "json_schema": {"name": "color", "strict": True, "schema": SCHEMA},
    },
}


def four():
    return [Caching(), Logging(content="full"), Retries(), Redaction()]


def test_an_answer_is_asked_for_once(open_client, server, caplog):
    caplog.set_level(logging.DEBUG, "orq")
    client = open_client(server_url=server.url, plugins=four(), discover=False)
    whole = client.create(**ASK)
    again = client.create(**ASK)
    streamed = client.create(**ASK, stream=True).completion()
    assert json.loads(whole.text)["color"] in {"red", "blue"}
    assert to_dict(again) == to_dict(whole)
    assert streamed.text == whole.text
    results = [each.info.notes["caching"]["result"] for each in (whole, again, streamed)]
    assert results == ["miss", "hit", "hit"]
    assert whole.info.notes["redaction"]["request"] == {"EMAIL": {"placeholder": 1}}
    assert [record.outcome for record in caplog.records if record.name == "orq.call"] == ["ok"] * 3
    assert "canary" not in "".join(str(vars(record)) for record in caplog.records)


def test_a_server_that_is_gone_is_asked_again(open_client, doomed_server):
    client = open_client(server_url=doomed_server.url, plugins=four(), discover=False)
    assert client.create(**ASK).text
    doomed_server.kill()
    assert client.create(**ASK).info.notes["caching"]["result"] == "hit"
    with pytest.raises(ConnectError) as caught:
        client.create(**{**ASK, "seed": 2})
    assert len(caught.value.attempts) == 3


def test_a_server_that_loads_is_waited_for(open_client, loading_server):
    policy = {"retries": 8}
    client = open_client(server_url=loading_server.url, plugins=four(), discover=False)
    completion = client.create(**ASK, **policy)
    assert json.loads(completion.text)["color"] in {"red", "blue"}
