"""``python -m orq_core explain``, as a process."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from orq_core.testing import LocalRouter
from tests.explain.distribution import install, orq

KEY = "fake-key-canary-3"
PROMPT = "canary words"


def test_a_prompt(tmp_path: Path, orq_router: LocalRouter):
    install(tmp_path, {"tenant": "fake_plugins:Tenant"})
    done = orq(
        *("explain", PROMPT, "--system", PROMPT, "--model", "fake/model", "--stream"),
        folder=tmp_path,
        ORQ_API_KEY=KEY,
        ORQ_SERVER_URL=orq_router.url,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("would be sent\n")
    assert "+ metadata.tenant: 1 value masked" in done.stdout
    assert "X-Fake-Tenant    tenant" in done.stdout
    assert "a stream" in done.stdout
    assert "canary" not in done.stdout
    assert "fake-secret-tenant" not in done.stdout
    assert orq_router.requests == []


def test_a_request_from_a_file_or_stdin_as_json(tmp_path: Path):
    body = {"model": "fake/model", "messages": [{"role": "user", "content": PROMPT}]}
    file = tmp_path / "request.json"
    file.write_text(json.dumps(body), "utf-8")
    told = []
    for name, said in ((str(file), None), ("-", json.dumps(body))):
        done = orq("explain", "--request", name, "--json", said=said, ORQ_API_KEY=KEY)
        assert done.returncode == 0, done.stderr
        assert "canary" not in done.stdout
        told.append(json.loads(done.stdout))
    assert told[0] == told[1]
    assert told[0]["model"] == "fake/model"
    assert told[0]["outcome"] == "sent"


def test_plugins_of_the_command_line(tmp_path: Path):
    install(tmp_path, {})
    given = ("--plugin", "fake_plugins:Tenant", "--plugin", "orq_plugins:Caching")
    done = orq("explain", "-", *given, "--json", folder=tmp_path, said=PROMPT, ORQ_API_KEY=KEY)
    told = json.loads(done.stdout)
    assert [each["plugin"] for each in told["layers"]] == ["tenant", "retries"]
    assert [each["plugin"] for each in told["aside"]] == ["caching"]


def test_a_call_that_would_be_refused():
    done = orq("explain", PROMPT)
    assert done.returncode == 1
    assert "! api_key: no key" in done.stdout


def test_a_broken_plugin_that_is_installed(tmp_path: Path):
    install(tmp_path, {"bad": "fake_plugins:Misspelt"})
    done = orq("explain", PROMPT, folder=tmp_path, ORQ_API_KEY=KEY)
    assert done.returncode == 1
    assert "orq_wrap_creat" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ((), 2, "give a prompt or --request"),
        (("--request", "nowhere.json"), 2, "--request: FileNotFoundError"),
        (("--request", "-"), 2, "--request: messages: expected a list"),
        (("hi", "--plugin", "nowhere:Plugin"), 1, "--plugin nowhere:Plugin: can't be made"),
        (("hi", "--plugin", "orq_plugins:Nothing"), 1, "AttributeError"),
    ],
)
def test_what_is_not_understood(arguments: tuple[str, ...], code: int, message: str):
    done = orq("explain", *arguments, said='{"messages": 3}', ORQ_API_KEY=KEY)
    assert (done.returncode, done.stdout) == (code, "")
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
