"""The names of facts, by version, held against OpenTelemetry's own registry."""

from __future__ import annotations

import inspect
from typing import Any

import pytest
from opentelemetry.semconv._incubating.attributes import gen_ai_attributes
from opentelemetry.semconv._incubating.metrics import gen_ai_metrics
from opentelemetry.semconv.attributes import (
    error_attributes,
    http_attributes,
    server_attributes,
    url_attributes,
)
from opentelemetry.semconv.schemas import Schemas

from orq_core import ConfigurationError
from orq_plugins.tracing.semconv import DEFAULT, VERSIONS, Semconv, chosen

SOURCES = (gen_ai_attributes, error_attributes, http_attributes, server_attributes, url_attributes)
REGISTERED = {
    value for module in SOURCES for value in vars(module).values() if isinstance(value, str)
}
NEWER = {"OTEL_SEMCONV_STABILITY_OPT_IN": "http, gen_ai_latest_experimental"}


@pytest.mark.parametrize("version", VERSIONS)
def test_every_name_is_registered(version: str):
    semconv = VERSIONS[version]
    assert {name for name in semconv.names.values() if name} <= REGISTERED
    names = {value for value in vars(gen_ai_metrics).values() if isinstance(value, str)}
    assert {metric.name for metric in semconv.metrics.values()} <= names
    assert semconv.schema_url in {schema.value for schema in Schemas}


@pytest.mark.parametrize("version", VERSIONS)
def test_units_are_those_of_the_registry(version: str):
    made = dict(inspect.getmembers(gen_ai_metrics, inspect.isfunction))
    for metric in VERSIONS[version].metrics.values():
        function = made["create_" + metric.name.replace(".", "_")]
        assert f'unit="{metric.unit}"' in inspect.getsource(function)


def test_every_version_has_a_word_on_every_fact():
    facts = [set(semconv.names) for semconv in VERSIONS.values()]
    assert all(each == facts[0] for each in facts)


def test_a_fact_of_no_version_is_a_mistake():
    with pytest.raises(KeyError):
        VERSIONS[DEFAULT].attributes({"moon": 1})


def test_what_is_unknown_is_left_out():
    semconv = VERSIONS["1.36.0"]
    assert semconv.attributes({"model": None, "stream": True, "provider": "orq"}) == {
        "gen_ai.system": "orq"
    }


@pytest.mark.parametrize(
    ("version", "environ", "expected"),
    [
        (None, {}, DEFAULT),
        (None, NEWER, "newest"),
        (None, {"OTEL_SEMCONV_STABILITY_OPT_IN": "http/dup"}, DEFAULT),
        ("1.36.0", {}, "1.36.0"),
        ("1.36.0", NEWER, "1.36.0"),
    ],
    ids=str,
)
def test_which_version(monkeypatch: Any, version: Any, environ: Any, expected: str):
    newest = Semconv("newest", {}, {})
    monkeypatch.setattr("orq_plugins.tracing.semconv.VERSIONS", {**VERSIONS, "newest": newest})
    assert chosen(version, environ).version == expected


def test_an_unknown_version_is_refused():
    with pytest.raises(ConfigurationError, match=r"semconv: .*1\.41\.1"):
        chosen("0.1")
