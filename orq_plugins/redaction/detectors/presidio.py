"""Names, places and whatever else Microsoft's Presidio finds; extra ``presidio``."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from orq_core import ConfigurationError
from orq_plugins.redaction.detectors.detector import CallableDetector

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


def presidio(
    analyzer: Any = None,
    *,
    entities: Sequence[str] | None = ("PERSON", "LOCATION"),
    language: str = "en",
    least_score: float = 0.5,
) -> CallableDetector:
    """Return a detector that asks a ``presidio_analyzer.AnalyzerEngine``.

    Without ``analyzer`` one is made, with Presidio's own defaults; it needs a spaCy model.
    ``entities`` limits what is looked for, None looks for all it knows. Results below
    ``least_score``, from 0 to 1, are left out; of overlapping ones the best stays.
    Raises ConfigurationError if the package is missing or no engine can be made.
    """
    engine = _engine() if analyzer is None else analyzer
    wanted = None if entities is None else list(entities)

    def find(text: str) -> Iterable[tuple[int, int, str]]:
        results = engine.analyze(
            text=text,
            language=language,
            entities=wanted,
            score_threshold=least_score,
        )
        taken: list[tuple[int, int, str]] = []
        for result in sorted(results, key=lambda each: (-each.score, each.start - each.end)):
            if all(result.end <= start or end <= result.start for start, end, _ in taken):
                taken.append((result.start, result.end, result.entity_type))
        return sorted(taken)

    return CallableDetector("PRESIDIO", find)


def _engine() -> Any:
    try:
        module: Any = importlib.import_module("presidio_analyzer")
    except ImportError as error:
        raise ConfigurationError(
            "presidio: presidio-analyzer is missing; pip install 'orq-core[presidio]'",
        ) from error
    try:
        return module.AnalyzerEngine()
    except (Exception, SystemExit) as error:  # a missing model makes spaCy leave the process
        raise ConfigurationError(
            f"presidio: no AnalyzerEngine could be made ({type(error).__name__}); "
            "it needs a spaCy model",
        ) from error
