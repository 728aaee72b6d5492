"""The command line, against a server that says what the test tells it to."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from orq_core import ChatCompletion, local
from orq_core import __main__ as command_line
from orq_core.__main__ import DEFAULT_MODEL, INTERRUPTED, main
from orq_core.local import INSTALL
from orq_core.streams import Stream

COMPLETION = {
    "id": "chatcmpl-fake",
    "object": "chat.completion",
    "created": 1,
    "model": "fake-model",
    "choices": [
        {
            "index": 0,
            "finish_reason": "stop",
            "message": {"role": "assistant", "content": "It scatters: blått."},
        },
    ],
    "usage": {"prompt_tokens": 7, "completion_tokens": 5, "total_tokens": 12},
}


def chunk(delta: dict, finish_reason: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
    event = {"id": "chatcmpl-fake", "object": "chat.completion.chunk", "model": "fake-model"}
    return f"data: {json.dumps({**event, 'choices': [choice]})}\n\n".encode()


STREAM = chunk({"role": "assistant", "content": "It "}) + chunk({"content": "scatters."})
ENDING = chunk({}, "stop") + b"data: [DONE]\n\n"


class FakeServer(ThreadingHTTPServer):
    """Answers every request alike and keeps what it was sent."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.status = 200
        self.streamed = STREAM + ENDING
        self.whole = json.dumps(COMPLETION).encode()
        self.received: list[dict] = []


class Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.received.append(body)
        stream = body.get("stream") and self.server.status == 200
        self.send_response(self.server.status)
        self.send_header("Content-Type", "text/event-stream" if stream else "application/json")
        self.end_headers()
        self.wfile.write(self.server.streamed if stream else self.server.whole)

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("ORQ_PLUGINS", "")
    monkeypatch.setenv("ORQ_API_KEY", "sk-fake-key")
    server = FakeServer()
    monkeypatch.setenv("ORQ_SERVER_URL", server.url)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_streams_by_default(server, capsys):
    assert main(["chat", "Why is the sky blue?"]) == 0
    out, err = capsys.readouterr()
    assert out == "It scatters.\n"
    assert err.startswith("orq: fake-model, first event after ")
    assert server.received == [
        {
            "model": DEFAULT_MODEL,
            "messages": [{"role": "user", "content": "Why is the sky blue?"}],
            "stream": True,
            "stream_options": {"include_usage": True},
        },
    ]


def test_each_piece_is_flushed(server, capsys, monkeypatch):
    pieces = []
    monkeypatch.setattr(command_line, "_write", pieces.append)
    assert main(["chat", "hi"]) == 0
    assert pieces == ["It ", "scatters.", "\n"]


def test_no_stream(server, capsys):
    assert main(["chat", "hi", "--no-stream", "--model", "m", "--system", "Be brief."]) == 0
    out, err = capsys.readouterr()
    assert out == "It scatters: blått.\n"
    assert err.rstrip().endswith("7 + 5 tokens")
    [body] = server.received
    assert body["model"] == "m"
    assert not body.get("stream")
    assert [message["role"] for message in body["messages"]] == ["system", "user"]


@pytest.mark.parametrize("flags", [[], ["--no-stream"]])
def test_json_is_one_object(server, flags, capsys):
    assert main(["chat", "hi", "--json", *flags]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["object"] == "chat.completion"
    if flags:
        assert answer == COMPLETION
    else:
        assert answer["choices"][0]["message"]["content"] == "It scatters."


def test_server_url_option_wins(server, capsys, monkeypatch):
    monkeypatch.setenv("ORQ_SERVER_URL", "http://127.0.0.1:9/v1")
    assert main(["chat", "hi", "--server-url", server.url]) == 0


def test_prompt_from_stdin(server, capsys, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.StringIO("from a pipe"))
    assert main(["chat", "-"]) == 0
    assert server.received[0]["messages"][0]["content"] == "from a pipe"


def test_refusal_is_one_line(server, capsys):
    server.status = 401
    server.whole = b'{"error": {"message": "Wrong\\nkey", "code": "invalid_api_key"}}'
    assert main(["chat", "hi"]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("orq: AuthenticationError: ")
    assert err.count("\n") == 1
    assert "sk-fake-key" not in err


def test_stream_that_breaks_ends_its_line(server, capsys):
    server.streamed = STREAM
    assert main(["chat", "hi"]) == 1
    out, err = capsys.readouterr()
    assert out == "It scatters.\n"
    assert err.startswith("orq: StreamTruncatedError: ")


def test_configuration_is_another_exit_code(server, capsys):
    assert main(["chat", "hi", "--server-url", "ftp://127.0.0.1"]) == 2
    assert capsys.readouterr().err.startswith("orq: ConfigurationError: server_url")


def test_ctrl_c(server, capsys, monkeypatch):
    def interrupted(_stream):
        yield "It "
        raise KeyboardInterrupt

    monkeypatch.setattr(Stream, "text_deltas", interrupted)
    assert main(["chat", "hi"]) == INTERRUPTED == 130
    out, err = capsys.readouterr()
    assert (out, err) == ("It \n", "orq: interrupted\n")


def test_without_key_and_server_the_embedded_model_answers(server, capsys, monkeypatch):
    class Embedded:
        url = server.url

        def __enter__(self):
            return self

        def __exit__(self, *exc_info):
            pass

    monkeypatch.delenv("ORQ_API_KEY")
    monkeypatch.delenv("ORQ_SERVER_URL")
    monkeypatch.setattr(command_line, "LocalModel", Embedded)
    assert main(["chat", "hi"]) == 0
    assert main(["chat", "hi", "--model", "other"]) == 0
    assert [body["model"] for body in server.received] == [local.MODEL, "other"]


def test_missing_embedded_model_names_the_command(server, capsys, monkeypatch):
    monkeypatch.delenv("ORQ_API_KEY")
    monkeypatch.delenv("ORQ_SERVER_URL")
    monkeypatch.setattr(local, "find_spec", lambda name: None)
    assert main(["chat", "hi"]) == 2
    err = capsys.readouterr().err
    assert INSTALL in err
    assert err.count("\n") == 1


def test_reader_that_leaves(server, monkeypatch, tmp_path):
    class Closed(io.StringIO):
        def write(self, text):
            raise BrokenPipeError

        def fileno(self):
            return stand_in.fileno()

    with (tmp_path / "stdout").open("w") as stand_in:
        monkeypatch.setattr(sys, "stdout", Closed())
        assert main(["chat", "hi"]) == 1


def test_answer_without_figures(capsys):
    assert command_line._summary(ChatCompletion(choices=[])) == "unknown model"


def test_serve_answers_until_it_is_interrupted(monkeypatch, capsys):
    def serve(*, port, replay, delay, ready):
        assert (port, replay, delay) == (0, None, 0.5)
        ready("http://127.0.0.1:1")
        raise KeyboardInterrupt

    monkeypatch.setattr("orq_core.testing.server.serve", serve)
    assert main(["serve", "--port", "0", "--delay", "0.5"]) == INTERRUPTED
    assert capsys.readouterr().out == "http://127.0.0.1:1\n"


def test_serve_and_chat_as_processes():
    command = [sys.executable, "-m", "orq_core"]
    served = subprocess.Popen([*command, "serve", "--port", "0"], stdout=subprocess.PIPE, text=True)
    try:
        url = served.stdout.readline().strip()
        chat = [*command, "chat", "one two", "--server-url", url]
        done = subprocess.run(chat, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout) == (0, "one two\n"), done.stderr
    finally:
        served.kill()
        served.communicate()


@pytest.mark.parametrize("arguments", [["--port", "PORT"], ["--replay", "no-such-file.json"]])
def test_serve_that_cannot(arguments, server, capsys):
    arguments = [each.replace("PORT", str(server.server_port)) for each in arguments]
    assert main(["serve", *arguments]) == 2
    assert capsys.readouterr().err.startswith("orq: ConfigurationError: serve: ")


def test_plugins_are_listed(capsys, monkeypatch):
    monkeypatch.delenv("ORQ_PLUGINS", raising=False)
    assert main(["plugins"]) == 0
    assert capsys.readouterr().out.startswith("layer  name")


@pytest.mark.parametrize("arguments", [[], ["chat"], ["nonsense"]])
def test_usage(arguments, capsys):
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert "usage:" in capsys.readouterr().err
