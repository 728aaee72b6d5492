"""JSON as servers write it, and as it is sent."""

from __future__ import annotations

import math

import pytest

from orq_core._json import dumps, loads


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (b'{"a":[1,1.0,-0.5,1e3,true,null]}', {"a": [1, 1.0, -0.5, 1000.0, True, None]}),
        (bytearray(b" [1]\n"), [1]),
        ('"\u2028"', "\u2028"),
        (b"\xef\xbb\xbf{}", {}),
        ("\ufeff{}", {}),
        (b'"\\ud800"', "\ud800"),
        (b'"a\xffb"', "a\ufffdb"),
        (b'{"a":1,"a":2}', {"a": 2}),
        (b"18446744073709551616", 2**64),
        (b"-9223372036854775809", -(2**63) - 1),
        (b"[Infinity]", [math.inf]),
        (b"1e400", math.inf),
    ],
)
def test_what_servers_write_is_read(data, value):
    read = loads(data)
    assert read == value
    assert type(read) is type(value)


def test_whole_and_fractional_numbers_stay_what_they_are():
    assert [type(n) for n in loads(b"[1, 1.0, 1e0]")] == [int, float, float]
    assert dumps([1, 1.0, 2**80]) == b"[1,1.0,1208925819614629174706176]"


def test_not_a_number_is_read():
    assert math.isnan(loads(b"NaN"))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"<html>",
        b"1 2",
        b"[" * 100_000 + b"]" * 100_000,
        "\ud800",
        b"[NaN," + b"[" * 9999,
    ],
)
def test_anything_else_is_a_value_error(data):
    with pytest.raises(ValueError, match=r"\w"):
        loads(data)


def test_writing_is_compact_utf_8():
    assert dumps({"a": ["é", None, True]}) == '{"a":["é",null,true]}'.encode()


def test_half_a_surrogate_pair_is_written_as_an_escape():
    assert dumps({"a": "\ud800"}) == b'{"a":"\\ud800"}'
    assert loads(dumps("é\ud800")) == "é\ud800"


def test_what_json_lacks_is_refused():
    with pytest.raises((TypeError, ValueError)):
        dumps({"a": object()})


def test_a_cycle_is_refused():
    cycle: list[object] = []
    cycle.append(cycle)
    with pytest.raises((TypeError, ValueError)):
        dumps(cycle)
