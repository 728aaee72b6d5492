"""``python -m orq_core plugins`` and ``explain``."""

from __future__ import annotations

import os
import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attrs import asdict

from orq_core._json import dumps, is_list, loads_object
from orq_core.errors import ConfigurationError, PluginError
from orq_core.explain.page import Table, show
from orq_core.manager import VARIABLE

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from orq_core.explain.inventory import Installed


DEFAULT_MODEL = "openai/gpt-4o-mini"


def add_plugins(commands: argparse._SubParsersAction[Any]) -> None:
    """Add the command that lists plugins."""
    parser = commands.add_parser(
        "plugins",
        help="list the plugins that are installed, in the order of their layers",
        description="List the plugins that are installed, in the order of their layers, outermost "
        "first. The exit code is 1 if a client could not be made because one is broken.",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=_plugins)


def add_explain(commands: argparse._SubParsersAction[Any]) -> None:
    """Add the command that explains a call."""
    parser = commands.add_parser(
        "explain",
        help="tell what a call would do, without sending anything",
        description="Tell what a call would do, without sending anything: what each plugin changes "
        "in the request, whether a cache would answer, how long it may take. Content is not shown. "
        "The exit code is 1 if the call would be refused.",
    )
    parser.add_argument("prompt", nargs="?", help="what would be asked; - reads it from stdin")
    parser.add_argument("--model", help=f"default: {DEFAULT_MODEL}, or the request's")
    parser.add_argument("--system", help="a system message to put in front")
    parser.add_argument("--stream", action="store_true", help="ask for a stream")
    parser.add_argument("--request", metavar="FILE", help="the body as JSON; - reads it from stdin")
    parser.add_argument("--server-url", help="default: ORQ_SERVER_URL, or the router")
    parser.add_argument(
        "--plugin",
        action="append",
        default=[],
        metavar="MODULE:FACTORY",
        help="a plugin to add, outermost first: a class, a function that makes one, or one itself",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=_explain)


def _explain(options: argparse.Namespace) -> int:
    from orq_core.client import Orq  # noqa: PLC0415 - the command `plugins`, also in this module, makes no client and starts faster without it
    from orq_core.explain.tables import tables_of  # noqa: PLC0415 - the command `plugins`, also in this module, prints none of these

    body = _body(options)
    plugins = [_plugin(name) for name in options.plugin]
    with Orq(server_url=options.server_url or None, plugins=plugins) as client:
        told = client.explain(body)
    if options.json:
        print(dumps(told.to_dict()).decode())
    else:
        show(tables_of(told))
    return 1 if told.outcome == "refused" else 0


def _body(options: argparse.Namespace) -> dict[str, Any]:
    if options.prompt is None and options.request is None:
        raise ConfigurationError("explain: give a prompt or --request")
    body: dict[str, Any] = {} if options.request is None else _request(options.request)
    messages = body.setdefault("messages", [])
    if not is_list(messages):
        raise ConfigurationError("--request: messages: expected a list")
    if options.prompt is not None:
        prompt = sys.stdin.read() if options.prompt == "-" else options.prompt
        messages.append({"role": "user", "content": prompt})
    if options.system is not None:
        messages.insert(0, {"role": "system", "content": options.system})
    if options.model is not None:
        body["model"] = options.model
    elif options.request is None:
        body["model"] = DEFAULT_MODEL
    if options.stream:
        body["stream"] = True
    return body


def _request(name: str) -> dict[str, Any]:
    try:
        text = sys.stdin.read() if name == "-" else Path(name).read_text("utf-8")
        return loads_object(text.encode())
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"--request: {type(error).__name__}: no JSON object") from error


def _plugin(name: str) -> object:
    module, _, factory = name.partition(":")
    sys.path.insert(0, "")  # `python -m` does so, an installed script doesn't
    try:
        made: Any = import_module(module)
        for part in filter(None, factory.split(".")):
            made = getattr(made, part)
        return made() if callable(made) else made
    except Exception as error:
        raise PluginError(
            f"--plugin {name}: can't be made: {type(error).__name__}", plugin=name
        ) from error
    finally:
        sys.path.remove("")


def _plugins(options: argparse.Namespace) -> int:
    from orq_core.explain.inventory import inventory  # noqa: PLC0415 - it imports every installed plugin's packages; the other command must not wait for that

    plugins = inventory()
    if options.json:
        told = {"variable": os.environ.get(VARIABLE), "plugins": [asdict(each) for each in plugins]}
        print(dumps(told).decode())
    else:
        show([_listed(plugins)])
    return 0 if all(each.is_usable for each in plugins) else 1


def _listed(plugins: list[Installed]) -> Table:
    rows = [
        (
            "" if each.position is None else str(each.position),
            each.name,
            each.state,
            "?" if each.distribution is None else f"{each.distribution} {each.version}",
            "\n".join(_told(each)),
        )
        for each in plugins
    ]
    bad = frozenset(at for at, each in enumerate(plugins) if not each.is_usable)
    title = "" if rows else "no plugins are installed"
    return Table(title, rows, ("layer", "name", "state", "from", "object and hooks"), bad)


def _told(plugin: Installed) -> Iterator[str]:
    """Say what takes most room below each other: a terminal may have 80 columns."""
    if plugin.object is not None:
        yield plugin.object
    if plugin.reason is not None:
        yield f"! {plugin.reason}"
    yield from plugin.hooks
