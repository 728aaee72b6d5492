"""How the time of detection grows with texts that are made to be slow."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from orq_plugins.redaction.matcher import Matcher

ADVERSARIAL = {
    "a@": "a@",
    "a.": "a.",
    "a.b@": "a.b@",
    "<": "<",
    "digits": "4929",
    "spaced digits": "49 ",
    "0-groups": "030 12 ",
    "colons": ":",
    "a:": "a:",
    "-----BEGIN": "-----BEGIN",
    "key headers": "-----BEGIN PRIVATE KEY-----\n",
    "base64": "eyJhbGciOiJIUzI1NiJ9QUFB",
    "base64 parts": "eyJhbGciOiJIUzI1NiJ9.QUFB.",
    "spaces": " ",
    "password=": "password=",
    "password ": "password ",
    "token: ": "token: ",
    "http://a:": "http://a:",
    "sk-": "sk-",
    "glpat-": "gl" + "pat-",
    "prose": "The quick brown fox jumps over the lazy dog, again and again. ",
}


def growth(matcher: Matcher) -> None:
    """Print how long texts of one and two hundred thousand characters take."""
    print("\ngrowth: seconds for 100k and 200k characters")
    for name, unit in ADVERSARIAL.items():
        seconds = []
        for size in (100_000, 200_000):
            text = (unit * (size // len(unit) + 1))[:size]
            begun = time.perf_counter()
            matcher.all(text)
            seconds.append(time.perf_counter() - begun)
        print(f"  {name:<16}{seconds[0]:>8.3f}{seconds[1]:>8.3f}{seconds[1] / seconds[0]:>7.2f}x")
