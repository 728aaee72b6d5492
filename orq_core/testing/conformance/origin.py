"""Where in a plugin's own code something happened."""

from __future__ import annotations

import ast
import inspect
import os
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import CodeType, FrameType

KIT = str(Path(__file__).parent)
_CORE = str(Path(__file__).parents[2])
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


class Origin:
    """Knows which files are the plugin's, and names their lines."""

    def __init__(self, plugin: object, factory: Callable[[], object]) -> None:
        """Take the classes of a plugin, or the factory's file when it has none of its own."""
        kind = plugin if inspect.isclass(plugin) else type(plugin)
        kinds = kind.__mro__[:-1]
        files = [each for kind in kinds for each in _files_of(kind)]
        code: CodeType | None = getattr(factory, "__code__", None)
        if code is not None:
            files.append(code.co_filename)
        self._files = tuple(dict.fromkeys(files))
        self._kinds = [kind for kind in kinds if kind.__module__ != "builtins"]
        self.definition = _defined(kinds[0]) or _defined(factory) or "<unknown>"

    def owns(self, filename: str) -> bool:
        """Tell whether a file belongs to the plugin."""
        inside = any(filename == each or filename.startswith(each + os.sep) for each in self._files)
        return inside and not filename.startswith(KIT)

    def of_frame(self, frame: FrameType | None) -> str | None:
        """Name the nearest line of the plugin on a stack; what the kit called is not looked at."""
        while frame is not None:
            filename = frame.f_code.co_filename
            if filename.startswith(KIT):
                return None
            if self.owns(filename):
                return place(filename, frame.f_lineno)
            frame = frame.f_back
        return None

    def of_error(self, error: BaseException | None) -> str | None:
        """Name the plugin's line that an exception came through last."""
        found, traceback = None, None if error is None else error.__traceback__
        while traceback is not None:
            filename = traceback.tb_frame.f_code.co_filename
            if self.owns(filename):
                found = place(filename, traceback.tb_lineno)
            traceback = traceback.tb_next
        return found

    def handler(self, where: str | None) -> str | None:
        """Name the ``except`` that is around a line, where there is one."""
        filename, line = _taken_apart(where)
        handlers = [
            node.handlers[0].lineno
            for node in ast.walk(_parsed(filename))
            if isinstance(node, ast.Try) and node.handlers and _spans(node, line)
        ]
        return place(filename, max(handlers)) if handlers else where

    def writes(self, attribute: str | None = None) -> str | None:
        """Name the first line outside of ``__init__`` that sets an attribute of the plugin."""
        for kind in self._kinds:
            for function in _functions(kind):
                for node in ast.walk(function):
                    if _sets(node, attribute):
                        return place(inspect.getfile(kind), getattr(node, "lineno", 0))
        return None


def place(filename: str, line: int) -> str:
    """Write a line's place, relative to the working directory where that is shorter."""
    path = Path(filename)
    try:
        return f"{path.relative_to(Path.cwd())}:{line}"
    except ValueError:
        return f"{path}:{line}"


def _files_of(kind: type[Any]) -> Iterator[str]:
    try:
        path = Path(inspect.getfile(kind))
    except (OSError, TypeError):
        return
    if str(path).startswith(_CORE):
        return
    # Modules of one package are one plugin's: helpers beside it are its own code.
    depth = kind.__module__.count(".") + (path.name == "__init__.py")
    yield str(path.parents[depth - 1]) if depth else str(path)


@cache
def _defined(thing: Any) -> str | None:
    code: CodeType | None = getattr(thing, "__code__", None)
    if code is not None:
        return place(code.co_filename, code.co_firstlineno)
    try:
        return place(inspect.getfile(thing), inspect.getsourcelines(thing)[1])
    except (OSError, TypeError):
        return None


@cache
def _functions(kind: type[Any]) -> list[ast.AST]:
    try:
        filename, first = inspect.getfile(kind), inspect.getsourcelines(kind)[1]
    except (OSError, TypeError):
        return []
    for node in ast.walk(_parsed(filename)):
        if isinstance(node, ast.ClassDef) and first in {node.lineno, *_decorated(node)}:
            return [
                each for each in node.body if isinstance(each, _FUNCTIONS) and each.name[:2] != "__"
            ]
    return []


def _decorated(node: ast.ClassDef) -> list[int]:
    return [each.lineno for each in node.decorator_list]


def _sets(node: ast.AST, attribute: str | None) -> bool:
    return (
        isinstance(node, ast.Attribute)
        and isinstance(node.ctx, ast.Store)
        and isinstance(node.value, ast.Name)
        and node.value.id == "self"
        and attribute in {None, node.attr}
    )


def _spans(node: ast.Try, line: int) -> bool:
    return node.lineno <= line <= max(each.end_lineno or 0 for each in node.body)


def _taken_apart(where: str | None) -> tuple[str, int]:
    filename, _, line = (where or "").rpartition(":")
    return filename, int(line or 0)


@cache
def _parsed(filename: str) -> ast.Module:
    try:
        return ast.parse(Path(filename).read_text("utf-8"))
    except (OSError, SyntaxError, ValueError):
        return ast.Module([], [])
