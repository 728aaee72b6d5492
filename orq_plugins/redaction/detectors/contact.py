"""E-mail addresses and telephone numbers."""

from __future__ import annotations

import re
from itertools import pairwise

from orq_plugins.redaction.detectors.checks import digits
from orq_plugins.redaction.detectors.detector import Detector

_LOCAL = r"(?<!\w)\w[\w.%+'-]{0,63}"
_DOMAIN = r"(?:[\w-]{1,63}\.){1,8}(?:xn--[A-Za-z0-9-]{2,59}|[^\W\d_]{2,24})"


def _is_address(text: str) -> bool:
    # git@host:path names a repository, and the user of all of them is git.
    return not text.startswith("git@")


EMAIL = Detector("EMAIL", f"{_LOCAL}@{_DOMAIN}", _is_address)

_BEFORE = r"(?<![\w.+/$€£-])"
# A number goes on after a point or a dash only if a digit follows.
_AFTER = r"(?!\w|[.,:/-][0-9])"
_EXTENSION = r"(?: ?(?:x|ext\.?|#) ?[0-9]{1,6})?"

# Country code, then groups; E.164 has at most 15 digits.
_INTERNATIONAL = (
    r"(?<![\w+])(?:\+|(?<![.-])00)[1-9][0-9]{0,3}"
    r"(?:[ .-]?\(0?[0-9]{0,4}\)[ .-]?|[ .-])?[0-9]{1,12}(?:[ .-][0-9]{1,10}){0,5}"
)
# Area codes and exchanges of the North American Numbering Plan; 001 is dialled from abroad.
_NORTH_AMERICAN = (
    r"(?:(?:001|1)[ .-])?(?:\([0-9]{3}\)[ .-]?|[0-9]{3}[ .-])[0-9]{3}[ .-][0-9]{4}",
    r"[2-9][0-9]{2}[2-9][0-9]{6}",
)
# A trunk prefix of 0, in brackets or not.
_TRUNK = (
    r"0[1-9](?:\.[0-9]{2}){4}",
    r"0[1-9][0-9]{1,3}/[0-9]{5,8}",
    r"0[1-9][0-9]{0,3}(?:[ -][0-9]{2,8}){1,4}",
    r"\(0[1-9][0-9]{0,3}\)[ -]?[0-9]{2,8}(?:[ -][0-9]{2,5}){0,3}",
    # Mobile numbers are written without a gap too.
    r"0(?:[67][0-9]{8}|7[0-9]{9}|1[5-7][0-9]{8,9})",
)
# Groups by which the numbers of a country are known, without a trunk prefix. The shortest are not
# followed by a name: there they number houses.
_GROUPED = (
    r"\([0-9]{2}\) [0-9]{3,5}-[0-9]{3,4}",
    r"[1-9][0-9](?:-[0-9]{2}){3}",
    r"[2-9][0-9]{2}-[0-9]{4}",
    r"[2-9][0-9]{2,3} [0-9]{4}(?! [A-Z0-9])",
    r"[2-9][0-9]{2} [0-9]{3} [0-9]{3}",
    r"[2-9][0-9]{2} [0-9]{2} [0-9]{3}",
    r"[1-9][0-9] [0-9]{3} [0-9]{3} [0-9]{4}",
    r"[1-9][0-9] [0-9]{3} [0-9]{2} [0-9]{2}",
    r"[1-9][0-9] [0-9]{3} [0-9]{3}",
    r"(?:9[4-79]|2[2-6]) [0-9]{6}",
)
_YEAR = r"(?:19|20)[0-9]{2}"
_DATES = re.compile(rf"{_YEAR} {_YEAR}|[0-3][0-9][ -][0-3][0-9][ -]{_YEAR}")
# The ends of the ranges of 32-bit integers.
_LIMITS = frozenset({"2147483647", "2147483648", "4294967294", "4294967295", "4294967296"})
_EXTENDED = re.compile(r"[x#e]")


def _is_international(text: str) -> bool:
    return 8 <= len(digits(_EXTENDED.split(text)[0])) <= 17


def _is_national(text: str) -> bool:
    number = _EXTENDED.split(text)[0].strip()
    return (
        7 <= len(digits(number)) <= 14
        and len(set(digits(number))) > 2
        and number not in _LIMITS
        and _DATES.fullmatch(number) is None
        and not _is_series(number.split(" "))
    )


def _is_series(groups: list[str]) -> bool:
    """Tell measures such as 2560 1440, sizes such as 512 1024, and 01 02 03 04 from numbers."""
    if not all(group.isdecimal() for group in groups):
        return False
    numbers = [int(group) for group in groups]
    if len(numbers) == 2 and not groups[1].startswith("0"):
        return all(n % 10 == 0 for n in numbers) or all(n & (n - 1) == 0 for n in numbers)
    steps = {after - before for before, after in pairwise(numbers)}
    return len(numbers) > 2 and len(steps) == 1


def _national(forms: tuple[str, ...]) -> Detector:
    return Detector("PHONE", f"{_BEFORE}(?:{'|'.join(forms)}){_EXTENSION}{_AFTER}", _is_national)


PHONES = (
    Detector("PHONE", f"{_INTERNATIONAL}{_EXTENSION}{_AFTER}", _is_international),
    _national(_NORTH_AMERICAN),
    _national(_TRUNK),
    _national(_GROUPED),
)
