"""What must not be shown: the key, header values, and what people wrote."""

from __future__ import annotations

import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from orq_core._json import dumps, is_list, is_object, loads
from orq_core.errors import OrqError
from orq_core.explain.changes import is_shown, leaves

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

HIDDEN = "(hidden)"

_SHORTEST = 6  # characters; shorter texts are words that any fact may hold
_PACKAGES = ("orq_core", "orq_plugins")
_HERE = str(Path(__file__).parent)


class Private:
    """Hides private texts in what plugins tell, should one of them have been careless."""

    def __init__(self, secrets: Iterable[str]) -> None:
        """Know these from the start."""
        self._texts: set[str] = set()
        for secret in secrets:
            self._add(secret)

    def learn(self, body: Mapping[str, Any]) -> None:
        """Know the texts of a request too, its settings left out."""
        for path, value in leaves(dict(body)):
            if isinstance(value, str) and path and not is_shown(path, value):
                self._add(value)

    def text(self, text: str) -> str:
        """Return a text, or a note in its place if it holds one of them."""
        return HIDDEN if any(each in text for each in self._texts) else text

    def facts(self, facts: Mapping[str, Any]) -> dict[str, Any]:
        """Return facts as JSON data; of what JSON can't hold the type is told."""
        return {self.text(str(name)): self._value(value) for name, value in facts.items()}

    def _value(self, value: Any) -> Any:
        if isinstance(value, str):
            return self.text(value)
        if value is None or isinstance(value, (bool, int, float)):
            return value
        try:
            data = loads(dumps(value))
        except Exception:  # noqa: BLE001 - whatever a plugin returned may fail when it is written; the report then hides it
            return f"<{type(value).__name__}>"
        if is_object(data):
            return self.facts(data)
        if is_list(data):
            return [self._value(each) for each in data]
        return self.text(data) if isinstance(data, str) else data

    def problem(self, error: BaseException) -> str:
        """Say what an exception is and where it came from.

        Messages are shown of this distribution's errors only: they never quote values.
        """
        frames = traceback.extract_tb(error.__traceback__)
        outside = [each for each in frames if not each.filename.startswith(_HERE)]
        place = f" at {outside[-1].filename}:{outside[-1].lineno}" if outside else ""
        ours = type(error).__module__.partition(".")[0] in _PACKAGES
        if isinstance(error, OrqError) and ours and _raised_here(error):
            return f"{type(error).__name__}: {self.text(' '.join(str(error).split()))}"
        return f"{type(error).__name__}{place}"

    def _add(self, text: str) -> None:
        if len(text) >= _SHORTEST:
            self._texts.add(text)


def _raised_here(error: BaseException) -> bool:
    last, name = error.__traceback__, ""
    while last is not None:
        name = str(last.tb_frame.f_globals.get("__name__", ""))
        last = last.tb_next
    return name.partition(".")[0] in _PACKAGES


def shown_url(url: str) -> str:
    """Return a URL without user info, and with the names of its query only."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    names = [each.partition("=")[0] for each in parts.query.split("&") if each]
    query = "?" + "&".join(f"{name}=…" for name in names) if names else ""
    return f"{parts.scheme}://{host}{parts.path}{query}"
