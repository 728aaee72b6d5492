"""Rules in the format of gitleaks' configuration, read as data, as detectors."""

from __future__ import annotations

import importlib
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attrs import define

from orq_core import ConfigurationError
from orq_plugins.redaction._regex import PatternError
from orq_plugins.redaction.detectors._go import capturing, translated
from orq_plugins.redaction.detectors.checks import entropy
from orq_plugins.redaction.detectors.detector import Detector

if TYPE_CHECKING:
    from collections.abc import Iterable

_LIMIT = 512


def rules(source: str | Path, *, limit: int = _LIMIT) -> tuple[Detector, ...]:
    """Return a detector for each rule with a ``regex`` in a TOML file, or in TOML text.

    Used of a rule: ``id``, ``regex``, ``entropy``, ``secretGroup``, and of its allow lists and the
    global ones ``regexes`` and ``stopwords``. What is about files and commits has no meaning here:
    ``path``, ``paths``, ``commits``, ``keywords`` (those would have to be in the file).
    A repeat without an end is given ``limit``. The whole match is taken, not the secret in it.
    Raises ConfigurationError for what is not such a file, or for a rule that can't be used.
    """
    config = _load(source)
    shared = _lists(config)
    found: list[Detector] = []
    for number, rule in enumerate(_tables(config.get("rules", []))):
        name = str(rule.get("id", f"rule {number}"))
        pattern = rule.get("regex")
        if isinstance(pattern, str):
            found.append(_detector(name, pattern, rule, shared, limit))
    return tuple(found)


@define(frozen=True)
class _Accept:
    pattern: re.Pattern[str]
    group: int
    least: float
    allowed: tuple[re.Pattern[str], ...]
    stopwords: tuple[str, ...]

    def __call__(self, text: str) -> bool:
        """Tell whether the secret in a match is random enough, and not allowed."""
        match = self.pattern.search(text)
        secret = match[self.group] or text if match else text
        lowered = secret.lower()
        return (
            entropy(secret) >= self.least
            and not any(each.search(secret) or each.search(text) for each in self.allowed)
            and not any(word in lowered for word in self.stopwords)
        )


def _detector(
    name: str,
    pattern: str,
    rule: dict[str, Any],
    shared: list[dict[str, Any]],
    limit: int,
) -> Detector:
    lists = [*shared, *_lists(rule)]
    try:
        source = translated(pattern, limit)
        compiled = re.compile(capturing(pattern))
        allowed = tuple(
            re.compile(capturing(each)) for table in lists for each in _texts(table, "regexes")
        )
    except (PatternError, re.error) as error:
        raise ConfigurationError(f"rules: {name}: its regex can't be used: {error}") from error
    group = int(rule.get("secretGroup", min(1, compiled.groups)))
    if group > compiled.groups:
        raise ConfigurationError(f"rules: {name}: there is no group {group}")
    stopwords = tuple(word.lower() for table in lists for word in _texts(table, "stopwords"))
    least = float(rule.get("entropy", 0))
    accept = _Accept(compiled, group, least, allowed, stopwords)
    return Detector(_entity(name), source, accept)


def _entity(name: str) -> str:
    entity = re.sub(r"[^A-Z0-9]+", "_", name.upper()).strip("_")
    return entity if entity[:1].isalpha() else f"RULE_{entity}"


def _lists(table: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the allow lists of a table that can be judged by a match alone."""
    given = [*_tables([table.get("allowlist")]), *_tables(table.get("allowlists", []))]
    return [
        each
        for each in given
        # Bound to a path as well, or to certain rules, it says nothing about the text alone.
        if not (str(each.get("condition", "")).upper() == "AND" and each.get("paths"))
        and not each.get("targetRules")
    ]


def _tables(values: Iterable[Any]) -> list[dict[str, Any]]:
    return [value for value in values if isinstance(value, dict)]


def _texts(table: dict[str, Any], key: str) -> list[str]:
    return [value for value in table.get(key, []) if isinstance(value, str)]


def _load(source: str | Path) -> dict[str, Any]:
    toml = _toml()
    text = source.read_text("utf-8") if isinstance(source, Path) else source
    try:
        loaded: dict[str, Any] = toml.loads(text)
    except toml.TOMLDecodeError as error:
        raise ConfigurationError("rules: this is not TOML") from error
    return loaded


def _toml() -> Any:
    try:
        return importlib.import_module("tomllib" if sys.version_info >= (3, 11) else "tomli")
    except ImportError as error:
        raise ConfigurationError(
            "rules: tomli is missing; pip install 'orq-core[toml]'",
        ) from error
