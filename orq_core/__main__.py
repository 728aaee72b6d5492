"""``python -m orq_core``: a prompt from the terminal, a local router, a look at the plugins."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orq_core import Orq, to_dict
from orq_core._json import dumps
from orq_core.errors import ConfigurationError, OrqError, RequestError
from orq_core.explain.command import DEFAULT_MODEL, add_explain, add_plugins
from orq_core.local import MODEL as LOCAL_MODEL
from orq_core.local import LocalModel

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orq_core.models import ChatCompletion

INTERRUPTED = 130  # what a shell reports for a process that Ctrl-C ended


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code.

    0 it worked, 1 the call failed, 2 it was not understood or not configured, 130 Ctrl-C.
    """
    options = _parser().parse_args(arguments)
    reconfigure = getattr(sys.stdout, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(errors="replace")  # an answer may hold what a terminal can't show
    try:
        status: int = options.run(options)
        sys.stdout.flush()
    except KeyboardInterrupt:
        _say("interrupted")
        return INTERRUPTED
    except BrokenPipeError:
        # The reader has left; the interpreter must not try to flush once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OrqError as error:
        _say(f"{type(error).__name__}: {' '.join(str(error).split())}")
        return 2 if isinstance(error, (ConfigurationError, RequestError)) else 1
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m orq_core", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    chat = commands.add_parser(
        "chat",
        help="send a prompt and print the answer as it comes",
        description="Send a prompt and print the answer as it comes; timings go to stderr. "
        "With neither ORQ_API_KEY nor a server, a small model on this machine answers.",
    )
    chat.add_argument("prompt", help="what to ask; - reads it from stdin")
    chat.add_argument("--model", help=f"default: {DEFAULT_MODEL}, or the model on this machine")
    chat.add_argument("--system", help="a system message to put in front")
    chat.add_argument("--no-stream", action="store_true", help="ask for the answer in one piece")
    chat.add_argument("--json", action="store_true", help="print the whole answer as JSON")
    chat.add_argument("--server-url", help="default: ORQ_SERVER_URL, or the router")
    chat.set_defaults(run=_chat)

    serve = commands.add_parser(
        "serve",
        help="run a local router that says what it was told",
        description="Run a local router on loopback, for tests; its URL is printed. It answers "
        "with the last user message, or with a recorded exchange.",
    )
    serve.add_argument("--port", type=int, default=8080, help="default: %(default)s; 0 picks one")
    serve.add_argument("--replay", type=Path, help="a recorded exchange (JSON) to answer with")
    serve.add_argument("--delay", type=float, default=0.0, help="seconds between pieces")
    serve.set_defaults(run=_serve)

    add_plugins(commands)
    add_explain(commands)
    return parser


def _chat(options: argparse.Namespace) -> int:
    prompt: str = sys.stdin.read() if options.prompt == "-" else options.prompt
    messages = [{"role": "user", "content": prompt}]
    if options.system is not None:
        messages.insert(0, {"role": "system", "content": options.system})
    server_url: str | None = options.server_url or os.environ.get("ORQ_SERVER_URL") or None
    model: str = options.model or DEFAULT_MODEL
    with contextlib.ExitStack() as stack:
        if server_url is None and not os.environ.get("ORQ_API_KEY"):
            local = stack.enter_context(LocalModel())
            server_url, model = local.url, options.model or LOCAL_MODEL
        client = stack.enter_context(Orq(server_url=server_url))
        if options.no_stream:
            completion = client.router.chat.completions.create(model=model, messages=messages)
            if not options.json:
                _write(completion.text)
        else:
            completion = _streamed(client, model, messages, echo=not options.json)
    if options.json:
        _write(dumps(to_dict(completion)).decode())
    _write("\n")
    _say(_summary(completion))
    return 0


def _streamed(client: Orq, model: str, messages: list[Any], *, echo: bool) -> ChatCompletion:
    """Print a stream's text as it comes; a line that an error cuts off is ended."""
    with client.router.chat.completions.create(
        model=model,
        messages=messages,
        stream=True,
        stream_options={"include_usage": True},
    ) as stream:
        if echo:
            try:
                for text in stream.text_deltas():
                    _write(text)
            except (OrqError, KeyboardInterrupt):
                _write("\n")
                raise
        return stream.completion()


def _serve(options: argparse.Namespace) -> int:
    from orq_core.testing.server import serve  # noqa: PLC0415 - loads aiohttp's server, which is slow to import and which only this command needs

    try:
        serve(
            port=options.port,
            replay=options.replay,
            delay=options.delay,
            ready=lambda url: _write(f"{url}\n"),
        )
    except (OSError, ValueError, OverflowError) as error:  # the port or the recording
        raise ConfigurationError(f"serve: {error}") from error
    return 0


def _summary(completion: ChatCompletion) -> str:
    facts = [completion.model or "unknown model"]
    info, usage = completion.info, completion.usage
    if info.time_to_first_event is not None:
        facts.append(f"first event after {info.time_to_first_event:.2f} s")
    if info.elapsed is not None:
        facts.append(f"{info.elapsed:.2f} s in all")
    if usage is not None:
        facts.append(f"{usage.prompt_tokens} + {usage.completion_tokens} tokens")
    return ", ".join(facts)


def _write(text: str) -> None:
    print(text, end="", flush=True)


def _say(text: str) -> None:
    print(f"orq: {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
