from __future__ import annotations

import sys
from types import SimpleNamespace

import pytest

from orq_core import ConfigurationError
from orq_plugins.redaction import CallableDetector
from orq_plugins.redaction.detectors.presidio import presidio


class Engine:
    """Answers with what it was given, and keeps what it was asked."""

    def __init__(self, *results):
        self.results = [
            SimpleNamespace(start=s, end=e, entity_type=entity, score=score)
            for s, e, entity, score in results
        ]

    def analyze(self, **asked):
        self.asked = asked
        return self.results


def test_the_best_of_overlapping_results_stays():
    engine = Engine((10, 14, "LOCATION", 0.6), (0, 5, "PERSON", 0.85), (3, 9, "LOCATION", 0.6))
    detector = presidio(engine, language="de", least_score=0.6)
    assert isinstance(detector, CallableDetector)
    assert list(detector.find("Alice of Acme")) == [(0, 5, "PERSON"), (10, 14, "LOCATION")]
    assert engine.asked == {
        "text": "Alice of Acme",
        "language": "de",
        "entities": ["PERSON", "LOCATION"],
        "score_threshold": 0.6,
    }


def test_all_entities():
    engine = Engine()
    assert list(presidio(engine, entities=None).find("")) == []
    assert engine.asked["entities"] is None


def test_the_missing_package_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "presidio_analyzer", None)
    with pytest.raises(ConfigurationError, match=r"orq-core\[presidio\]"):
        presidio()


@pytest.mark.parametrize("error", [OSError("x"), SystemExit(1)])
def test_a_missing_model_is_a_configuration_error(monkeypatch, error):
    def engine():
        raise error

    monkeypatch.setitem(sys.modules, "presidio_analyzer", SimpleNamespace(AnalyzerEngine=engine))
    with pytest.raises(ConfigurationError, match="spaCy model"):
        presidio()


def test_an_engine_is_made(monkeypatch):
    engine = Engine((0, 5, "PERSON", 0.9))
    module = SimpleNamespace(AnalyzerEngine=lambda: engine)
    monkeypatch.setitem(sys.modules, "presidio_analyzer", module)
    assert list(presidio().find("Alice")) == [(0, 5, "PERSON")]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_real_engine():
    analyzer = pytest.importorskip("presidio_analyzer")
    spacy = pytest.importorskip("spacy")
    from presidio_analyzer.nlp_engine import SpacyNlpEngine

    class Blank(SpacyNlpEngine):
        """Has no model to load: names come from a list."""

        def __init__(self):
            super().__init__()
            self.nlp = {"en": spacy.blank("en")}

    registry = analyzer.RecognizerRegistry(supported_languages=["en"])
    registry.add_recognizer(analyzer.PatternRecognizer("PERSON", deny_list=["Alice Fake"]))
    engine = analyzer.AnalyzerEngine(
        registry=registry, nlp_engine=Blank(), supported_languages=["en"]
    )
    assert list(presidio(engine).find("I am Alice Fake of Acme")) == [(5, 15, "PERSON")]
