"""Addresses of machines, and URLs that carry a password."""

from __future__ import annotations

import ipaddress
import re

from orq_plugins.redaction.detectors.detector import Detector

_OCTET = r"(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_FOUR = rf"{_OCTET}(?:\.{_OCTET}){{3}}"
_HEXTET = "[0-9A-Fa-f]{1,4}"
_PAIR = "[0-9A-Fa-f]{2}"


def _is_host(text: str) -> bool:
    address = ipaddress.IPv4Address(text)
    # What every machine calls itself, and net masks, say nothing about anybody.
    return not (address.is_loopback or address.is_unspecified or text.startswith("255."))


def _is_host6(text: str) -> bool:
    try:
        address = ipaddress.IPv6Address(text)
    except ValueError:
        return False
    if "::" not in text or address.ipv4_mapped is not None:
        return True
    # Slices such as [1::2] are addresses of blocks that nobody has been given.
    return int(address) >> 112 >= 0x2000


def _is_interface(text: str) -> bool:
    return len(set(re.sub(r"[^0-9A-Fa-f]", "", text).lower())) > 1


IPV4 = Detector("IPV4", rf"(?<![\w.]){_FOUR}(?!\w|\.[0-9])", _is_host)
IPV6 = Detector(
    "IPV6",
    rf"(?<![\w:.])(?:(?:{_HEXTET}:){{7}}{_HEXTET}|(?:{_HEXTET}:){{6}}{_FOUR}"
    rf"|(?:{_HEXTET}(?::{_HEXTET}){{0,6}})?::(?:(?:{_HEXTET}:){{0,5}}{_FOUR}"
    rf"|{_HEXTET}(?::{_HEXTET}){{0,6}})?)(?:%[0-9A-Za-z]{{1,16}})?(?!\w)",
    _is_host6,
)
MAC = Detector(
    "MAC",
    rf"(?<![\w:.-])(?:(?:{_PAIR}:){{5}}{_PAIR}|(?:{_PAIR}-){{5}}{_PAIR}"
    rf"|(?:[0-9A-Fa-f]{{4}}\.){{2}}[0-9A-Fa-f]{{4}})(?!\w|[:.-][0-9A-Fa-f])",
    _is_interface,
)

_USER = r"[^\s/?#@:\"'`<>]{0,64}"
_PHRASE = r"[^\s/?\"'`<>]{1,200}"
_HOST = r"[^\s/?#@\"'`<>,;()\\]{1,160}"
_TEMPLATE = re.compile(r"[$%]?\{[^}]*\}|\$\w+|[*.x]+|\[[^]]*\]", re.IGNORECASE)


def _has_password(text: str) -> bool:
    user_info = text.partition("://")[2].rpartition("@")[0]
    return _TEMPLATE.fullmatch(user_info.partition(":")[2]) is None


URL_CREDENTIALS = Detector(
    "URL_CREDENTIALS",
    rf"(?<![A-Za-z0-9+.-])[A-Za-z][A-Za-z0-9+.-]{{1,20}}://{_USER}:{_PHRASE}@{_HOST}",
    _has_password,
)
