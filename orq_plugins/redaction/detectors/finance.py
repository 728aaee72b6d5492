"""Bank accounts and payment cards."""

from __future__ import annotations

import re

from orq_plugins.redaction.detectors.checks import digits, luhn, mod97
from orq_plugins.redaction.detectors.detector import Detector

# Countries by the length of their IBAN, as registered (SWIFT, IBAN registry, ISO 13616-2).
_COUNTRIES = {
    15: "NO",
    16: "BE",
    18: "DK FO FI GL NL SD",
    19: "MK SI",
    20: "AT BA EE KZ LT LU XK",
    21: "CH HR LI LV",
    22: "BG BH CR DE GB GE IE ME RS VA",
    23: "AE GI IL IQ OM SO TL",
    24: "AD CZ DZ ES MD PK RO SA SE SK TN VG",
    25: "LY PT ST",
    26: "IS TR",
    27: "BI DJ FR GR IT MC MR SM",
    28: "AL AZ BY CY DO GT HU LB NI PL SV",
    29: "BR EG PS QA UA",
    30: "JO KW MU YE",
    31: "MT SC",
    32: "LC",
    33: "RU",
}
_GAP = "[ \u00a0-]?"


def _account(length: int, countries: str) -> str:
    groups, rest = divmod(length - 4, 4)
    end = f"{_GAP}[A-Z0-9]{{{rest}}}" if rest else ""
    # Looked back at, so that two letters and two digits are read once for all countries.
    country = f"(?<=(?:{'|'.join(countries.split())})[0-9]{{2}})"
    return f"{country}(?:{_GAP}[A-Z0-9]{{4}}){{{groups}}}{end}"


def _is_account(text: str) -> bool:
    return mod97(re.sub(r"[^A-Za-z0-9]", "", text))


IBAN = Detector(
    "IBAN",
    r"(?<![A-Z0-9])[A-Z]{2}[0-9]{2}"
    rf"(?:{'|'.join(_account(*each) for each in _COUNTRIES.items())})(?![A-Z0-9])",
    _is_account,
    ignore_case=True,
)

# Issuers by their first digits and the lengths they give out (ISO/IEC 7812-1 ranges).
_ISSUERS = re.compile(
    r"4(?:[0-9]{12}|[0-9]{15}|[0-9]{18})"  # Visa
    r"|5[1-5][0-9]{14}"  # Mastercard
    r"|2(?:22[1-9]|2[3-9][0-9]|[3-6][0-9]{2}|7[01][0-9]|720)[0-9]{12}"
    r"|220[0-4][0-9]{12,15}"  # Mir
    r"|3[47][0-9]{13}"  # American Express
    r"|3(?:0[0-59]|[689][0-9])[0-9]{11,16}"  # Diners Club
    r"|35[0-9]{14,17}"  # JCB
    r"|(?:2131|1800)[0-9]{11}"
    r"|6(?:011|4[4-9][0-9]|5[0-9]{2})[0-9]{12,15}"  # Discover
    r"|62[0-9]{14,17}"  # UnionPay
    r"|(?:50|5[6-9]|6[0-9])[0-9]{10,17}",  # Maestro
)


def _is_card(text: str) -> bool:
    number = digits(text)
    return _ISSUERS.fullmatch(number) is not None and luhn(number)


_BEFORE = r"(?<![\w.])"
_AFTER = r"(?!\w|[.-][0-9])"

# The longer form first: what follows a number of 16 digits may be the code on its back.
CARDS = tuple(
    Detector("CREDIT_CARD", f"{_BEFORE}{form}{_AFTER}", _is_card)
    for form in (
        r"[1-6][0-9]{11,18}",
        r"[2-6][0-9]{3}(?:[ -][0-9]{4}){3}[ -][0-9]{3}",
        r"[2-6][0-9]{3}(?:[ -][0-9]{4}){3}",
        r"3[0-9]{3}[ -][0-9]{6}[ -][0-9]{4,5}",
    )
)
