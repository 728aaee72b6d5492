"""``python -m orq_core plugins`` and ``explain``."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from attrs import asdict

from orq_core._json import dumps
from orq_core.explain.page import Table, show
from orq_core.manager import VARIABLE

if TYPE_CHECKING:
    import argparse

    from orq_core.explain.inventory import Installed


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


def _plugins(options: argparse.Namespace) -> int:
    from orq_core.explain.inventory import inventory  # noqa: PLC0415 - imports plugins

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
            each.object or "?",
            f"! {each.reason}" if each.reason else "\n".join(each.hooks),
        )
        for each in plugins
    ]
    bad = frozenset(at for at, each in enumerate(plugins) if not each.is_usable)
    title = "" if rows else "no plugins are installed"
    return Table(title, rows, ("layer", "name", "state", "from", "object", "hooks"), bad)
