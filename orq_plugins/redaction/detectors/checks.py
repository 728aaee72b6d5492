"""Checksums and measures that tell a value from text of the same shape."""

from __future__ import annotations

import math
from collections import Counter


def digits(text: str) -> str:
    """Return the ASCII digits of a text."""
    return "".join(character for character in text if "0" <= character <= "9")


def luhn(number: str) -> bool:
    """Tell whether the last of some digits is their check digit (ISO/IEC 7812-1, annex B)."""
    total = 0
    for place, character in enumerate(reversed(number)):
        value = int(character) << (place % 2)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def mod97(account: str) -> bool:
    """Tell whether an IBAN without spaces has the right check digits (ISO 13616, ISO 7064)."""
    moved = account[4:] + account[:4]
    return int("".join(str(int(character, 36)) for character in moved)) % 97 == 1


def entropy(text: str) -> float:
    """Return the bits a character carries, by the frequencies within the text (Shannon, 1948)."""
    size = len(text)
    return -sum(n / size * math.log2(n / size) for n in Counter(text).values())


def classes(text: str) -> int:
    """Count the kinds of characters in a text: lower case, upper case, digits, all others."""
    return sum(
        (
            any(map(str.islower, text)),
            any(map(str.isupper, text)),
            any(map(str.isdigit, text)),
            not all(map(str.isalnum, text)),
        ),
    )
