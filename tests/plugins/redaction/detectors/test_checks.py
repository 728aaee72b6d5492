from __future__ import annotations

import pytest

from orq_plugins.redaction.detectors.checks import classes, digits, entropy, luhn, mod97


@pytest.mark.parametrize(
    ("number", "right"),
    [("4111111111111111", True), ("4111111111111112", False), ("79927398713", True), ("0", True)],
)
def test_luhn(number, right):
    assert luhn(number) is right


@pytest.mark.parametrize(
    ("account", "right"),
    [("GB82WEST12345698765432", True), ("gb82west12345698765432", True), ("GB00WEST1", False)],
)
def test_mod97(account, right):
    assert mod97(account) is right


def test_entropy_is_in_bits():
    assert entropy("aaaa") == 0
    assert entropy("abab") == 1
    assert entropy("abcdefgh") == 3


def test_classes():
    assert [classes(text) for text in ("abc", "aBc", "aB1", "aB1-")] == [1, 2, 3, 4]


def test_digits_are_those_of_ascii():
    assert digits("+1 (\uff12) x3") == "13"
